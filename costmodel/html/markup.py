"""HTML in which every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, TypeAlias

_VOID: Final = frozenset({"meta", "input", "br"})


class Markup(str):
    """A text that is HTML already."""

    __slots__ = ()


Child: TypeAlias = "str | Markup | Iterable[Child] | None"


def tag(name: str, /, *children: Child, **attributes: str | bool | None) -> Markup:
    """An element; a trailing underscore of an attribute goes, others become hyphens.

    An attribute that is True stands alone; one that is False or None is left out.
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{text_of(children)}</{name}>")


def _attribute(key: str, value: str | bool | None) -> str:  # noqa: FBT001  # as HTML has them
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(value)}"'


def text_of(child: Child) -> str:
    """The HTML of a child: escaped, unless it is markup."""
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(child)
    return "".join(map(text_of, child))


def table(
    titles: Sequence[str],
    rows: Iterable[Sequence[Child]],
    *,
    numeric: Iterable[int] = (),
    caption: str = "",
    class_: str = "",
) -> Markup:
    """A table whose first column has the headers of its rows, in a box that scrolls."""
    right = frozenset(numeric)

    def class_of(place: int) -> str | None:
        return "number" if place in right else None

    head = [tag("th", title, scope="col", class_=class_of(i)) for i, title in enumerate(titles)]
    body = [
        tag("tr", [
            tag("td", cell, class_=class_of(i)) if i else tag("th", cell, scope="row")
            for i, cell in enumerate(row)
        ])
        for row in rows
    ]  # fmt: skip
    label = tag("caption", caption) if caption else None
    made = tag("table", label, tag("thead", tag("tr", head)), tag("tbody", body))
    return tag(
        "div", made, class_=f"scroll {class_}".strip(), tabindex="0", role="region",
        aria_label=caption or titles[0] or "table",
    )  # fmt: skip
