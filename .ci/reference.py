"""The constructors of attrs classes in the built reference: an extension of Griffe.

Griffe reads the source without running it, and knows of no `__init__` that attrs makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from griffe import (
    Attribute,
    Class,
    ExprCall,
    ExprKeyword,
    Extension,
    Function,
    Parameter,
    ParameterKind,
    Parameters,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from griffe import Module

ATTRS: Final = frozenset({"attrs.frozen", "attrs.define"})


class AttrsConstructors(Extension):
    """Gives every attrs class of a package the constructor that attrs will."""

    def on_package(self, *, pkg: Module, **_options: Any) -> None:
        """Once all of a package is read, so that inherited fields are known."""
        for cls in _classes(pkg):
            if "__init__" not in cls.members and _decorator(cls) is not None:
                made = Function("__init__", parameters=_parameters(cls), returns="None")
                cls.set_member("__init__", made)


def _classes(inside: Module | Class) -> Iterator[Class]:
    for member in inside.members.values():
        if not member.is_alias and (member.is_module or member.is_class):
            if isinstance(member, Class):
                yield member
            yield from _classes(member)  # type: ignore[arg-type]  # it is a module or a class


def _decorator(cls: Class) -> Any:
    """What makes it an attrs class, if anything does."""
    return next((each for each in cls.decorators if each.callable_path in ATTRS), None)


def _parameters(cls: Class) -> Parameters:
    found: dict[str, Parameter] = {}
    for base in [*reversed(cls.mro()), cls]:
        made_by = _decorator(base)
        if made_by is not None:
            by_name = _options(made_by.value).get("kw_only") == "True"
            for member in base.members.values():
                if isinstance(member, Attribute) and _is_field(member):
                    found.pop(member.name, None)
                    found.update(_parameter(member, is_named=by_name))
            for name in _worked_out(base) & found.keys():
                found[name].default = "..."
    placed = sorted(found.values(), key=lambda each: each.kind is ParameterKind.keyword_only)
    return Parameters(Parameter("self", kind=ParameterKind.positional_or_keyword), *placed)


def _worked_out(cls: Class) -> set[str]:
    """The fields whose defaults are methods: those decorated with `@field.default`."""
    methods = (member for member in cls.members.values() if isinstance(member, Function))
    made_by = (str(each.value) for method in methods for each in method.decorators)
    return {name.removesuffix(".default") for name in made_by if name.endswith(".default")}


def _is_field(member: Attribute) -> bool:
    # Griffe leaves out ClassVar in the annotation; a class variable is not an instance attribute.
    is_typed = str(member.annotation or "ClassVar") != "ClassVar"
    return is_typed and "instance-attribute" in member.labels


def _parameter(member: Attribute, *, is_named: bool) -> Iterable[tuple[str, Parameter]]:
    options = _options(member.value)
    if options.get("init") == "False":
        return
    default = options.get("default", f"{options['factory']}()" if "factory" in options else None)
    if member.value is not None and not isinstance(member.value, ExprCall):
        default = str(member.value)
    is_named = is_named or options.get("kw_only") == "True" or options[""] == "setting"
    kind = ParameterKind.keyword_only if is_named else ParameterKind.positional_or_keyword
    name = options.get("alias", member.name).strip("'\"").lstrip("_")
    yield member.name, Parameter(name, annotation=member.annotation, kind=kind, default=default)


def _options(call: object) -> dict[str, str]:
    """The keyword arguments of a call as they are written, and under no name what is called."""
    if not isinstance(call, ExprCall):
        return {"": ""}
    named = [each for each in call.arguments if isinstance(each, ExprKeyword)]
    return {"": str(call.function), **{each.name: str(each.value) for each in named}}
