"""`costmodel new-plugin`: a complete distribution to start from."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import frozen

from costmodel import registry
from costmodel.cli.output import opened
from costmodel.errors import CostModelError
from costmodel.safe_io import writing

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@frozen
class Sort:
    """One kind of thing that a plugin can hold: what to say of it, and who is offered where.

    `yours` says what to change; `hooks` are the hook that offers it and an expression of the
    values, after an import; `files` are templates beside the module and its test.
    """

    contents: str
    yours: str
    hooks: Mapping[str, tuple[str, str]] = {}
    files: Mapping[str, str] = {}
    keeps_laws: bool = True


SORTS: Final = {
    "device": Sort(
        "`$package/device.py` has the formula of the device, `$package/$name.yaml` its numbers.",
        "Replace the figures and their sources in `$package/$name.yaml`, and the formula. To "
        "rename the device, change `name` in the file, the name of the file, and this name in "
        "`$package/hooks.py` and `tests/test_device.py`. To rename the formula, change `class` in "
        "the file and `family` in `$package/device.py`.",
        {
            "costmodel_devices": ("from $package.device import $Class", "$Class"),
            "costmodel_device_files": (
                "from importlib.resources import files", 'files("$package") / "$name.yaml"'
            ),
        },
        {"$package/$name.yaml": "device.yaml.txt"},
    ),
    "layer": Sort(
        "`$package/layer.py` has the rule of a layer.",
        "Replace the kind, the settings, the shapes and the work in `$package/layer.py`, and the "
        "inputs in `tests/test_layer.py`.",
        {"costmodel_layers": ("from $package.layer import $Class", "$Class")},
    ),
    "operator": Sort(
        "`$package/operator.py` has an operator: layers need it, and devices price it or its "
        "parts; no hook offers it.",
        "Replace the sizes, the counts and the parts in `$package/operator.py`, and the tensors in "
        "`tests/test_operator.py`.",
    ),
    "reader": Sort(
        "`$package/reader.py` reads networks from files.",
        "Replace the suffix and the reading in `$package/reader.py`, and the file in "
        "`tests/test_reader.py`.",
        {"costmodel_readers": ("from $package.reader import $Class", "$Class()")},
    ),
    "convention": Sort(
        "`$package/convention.py` has a way to count.",
        "Replace the name, the title and the count in `$package/convention.py`.",
        {"costmodel_conventions": ("from $package.convention import $Class", "$Class()")},
    ),
    "command": Sort(
        "`$package/command.py` has a command, `costmodel $name-largest`.",
        "Replace the command and its name in `$package/command.py`, and what "
        "`tests/test_command.py` expects of it.",
        {"costmodel_commands": ("from $package.command import largest", "largest")},
        keeps_laws=False,
    ),
}  # fmt: skip
"""What `new-plugin` can write, by its option."""

_IMPORTS: Final = """
from __future__ import annotations

from typing import Any

from costmodel import hookimpl
"""
"""What every hook needs."""

_ENTRY_POINT: Final = """
[project.entry-points.costmodel]
$name = "$package.hooks"
"""
_OFFERED: Final = "\n* `$package/hooks.py` says what it offers, and `costmodel plugins` lists it."
_LAWS: Final = (
    " A law that it cannot keep is declared, with the reason, as `known_failures` of the test's "
    "class."
)

_HOOK: Final = Template('''

@hookimpl
def $hook() -> list[Any]:
    """Offer ${what}."""
    $imported  # only when asked for

    return [$value]
''')


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--device", "sorts", flag_value="device", multiple=True, help="A device and its file."
)
@click.option("--layer", "sorts", flag_value="layer", multiple=True, help="A layer.")
@click.option("--operator", "sorts", flag_value="operator", multiple=True, help="An operator.")
@click.option("--reader", "sorts", flag_value="reader", multiple=True, help="A reader of networks.")
@click.option(
    "--convention", "sorts", flag_value="convention", multiple=True, help="A way to count."
)
@click.option("--command", "sorts", flag_value="command", multiple=True, help="A command.")
def new_plugin(name: str, sorts: tuple[str, ...]) -> None:
    """Write a plugin called NAME into a new folder, ready to be installed and tested.

    A device by default; options may be combined.

    \b
    costmodel new-plugin my-chip --device
    cd my-chip && pip install -e '.[test]' && pytest
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    _check_name(name)
    chosen = tuple(dict.fromkeys(sorts)) or ("device",)
    folder = Path(name)
    written = dict(_texts(name, chosen))
    _write(folder, written)
    with opened() as output:
        output.text("\n".join(str(folder / path) for path in written))
        listed = "; costmodel plugins" if any(SORTS[sort].hooks for sort in chosen) else ""
        output.prose(f"next: cd {name}; pip install -e '.[test]'; pytest{listed}")


def _check_name(name: str) -> None:
    package = name.replace("-", "_")
    if not _NAME.fullmatch(name):
        problem = "expected small letters and digits, words joined by '-', such as my-chip"
    elif keyword.iskeyword(package) or package in sys.stdlib_module_names:
        problem = "Python has a word or module of that name"
    elif name == "costmodel" or name in {plugin.name for plugin in registry.installed().plugins}:
        problem = "a plugin of that name is installed; see `costmodel plugins`"
    elif find_spec(package) is not None:
        problem = f"a module {package!r} is installed, which the plugin's own would hide"
    else:
        return
    message = f"{name!r} cannot be the name of a plugin: {problem}"
    raise CostModelError(message)


def _texts(name: str, sorts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every file of the distribution: its path and its text."""
    words = name.split("-")
    values = {"name": name, "package": "_".join(words), "title": " ".join(words).capitalize()}

    def filled(text: str, **more: str) -> str:
        return Template(text).substitute(values, **more)

    def template(file: str, **more: str) -> str:
        text = (files(__package__) / "templates" / file).read_text(encoding="utf-8")
        return filled(text, **more).rstrip() + "\n"

    offered = [
        filled(_hook(hook, *offer), Class=_class_name(words, sort))
        for sort in sorts
        for hook, offer in SORTS[sort].hooks.items()
    ]
    readme = {
        "contents": "\n".join(f"* {SORTS[sort].contents}" for sort in sorts),
        "offered": _OFFERED if offered else "",
        "yours": "\n".join(f"* {SORTS[sort].yours}" for sort in sorts),
        "laws": _LAWS if any(SORTS[sort].keeps_laws for sort in sorts) else "",
    }
    entry_point = filled(_ENTRY_POINT) if offered else ""
    yield "pyproject.toml", template("pyproject.toml.txt", entry_point=entry_point)
    yield "README.md", template("README.md.txt", **{k: filled(v) for k, v in readme.items()})
    yield filled("$package/__init__.py"), template("package.py.txt")
    yield filled("$package/py.typed"), ""
    if offered:
        hooks = "".join([_IMPORTS, *offered])
        yield filled("$package/hooks.py"), template("hooks.py.txt", hooks=hooks)
    for sort in sorts:
        named = {"Class": _class_name(words, sort)}
        yield filled(f"$package/{sort}.py"), template(f"{sort}.py.txt", **named)
        yield f"tests/test_{sort}.py", template(f"test_{sort}.py.txt", **named)
        for path, file in SORTS[sort].files.items():
            yield filled(path), template(file)


def _class_name(words: Sequence[str], sort: str) -> str:
    """`MyChipDevice` for the device of my-chip; no word stands twice."""
    said = words[:-1] if words[-1] == sort else words
    # The kind alone is the class that the new one derives from.
    return "".join(map(str.capitalize, [*(said or ["my"]), sort]))


def _hook(hook: str, imported: str, value: str) -> str:
    what = hook.removeprefix("costmodel_").replace("_", " ")
    return _HOOK.substitute(hook=hook, what=what, imported=imported, value=value)


def _write(folder: Path, texts: Mapping[str, Any]) -> None:
    """Write all files; a folder that is there already is left as it is."""
    try:
        folder.mkdir()
    except FileExistsError:
        message = f"{folder} is there already; give another name, or remove it first"
        raise CostModelError(message) from None
    except OSError as error:
        message = f"{folder} cannot be made: {error.strerror}"
        raise CostModelError(message) from None
    for path, text in texts.items():
        file = folder / path
        with writing(file):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
