"""`costmodel new-plugin`: a complete distribution to start from."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import frozen

from costmodel import catalogue
from costmodel.cli.output import opened
from costmodel.errors import CostModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@frozen
class Sort:
    """One sort of thing that a plugin can hold: what to say of it, and who is offered where.

    `files` are templates beside the module and its test; `hooks` are the hook that offers it
    and an expression of the values, after an import.
    """

    contents: str
    hooks: Mapping[str, tuple[str, str]] = {}
    files: Mapping[str, str] = {}


SORTS: Final = {
    "device": Sort(
        "`$package/device.py` has the formula of the device, `$package/$name.yaml` its numbers.",
        {
            "costmodel_devices": (
                "from $package.device import ${Class}Device", "${Class}Device"
            ),
            "costmodel_device_files": (
                "from importlib.resources import files", 'files("$package") / "$name.yaml"'
            ),
        },
        {"$package/$name.yaml": "device.yaml.txt"},
    ),
    "layer": Sort(
        "`$package/layer.py` has the rule of a layer.",
        {"costmodel_layers": ("from $package.layer import ${Class}Layer", "${Class}Layer")},
    ),
    "operator": Sort(
        "`$package/operator.py` has an operator: layers need it, and devices price it or its "
        "parts; no hook offers it.",
    ),
    "reader": Sort(
        "`$package/reader.py` reads networks from files.",
        {"costmodel_readers": ("from $package.reader import ${Class}Reader", "${Class}Reader()")},
    ),
    "convention": Sort(
        "`$package/convention.py` has a way to count.",
        {
            "costmodel_conventions": (
                "from $package.convention import ${Class}Convention", "${Class}Convention()"
            ),
        },
    ),
    "command": Sort(
        "`$package/command.py` has a command, `costmodel $name-largest`.",
        {"costmodel_commands": ("from $package.command import largest", "largest")},
    ),
}  # fmt: skip
"""What `new-plugin` can write, by its option."""

_IMPORTS: Final = """
from __future__ import annotations

from typing import Any

from costmodel import hookimpl
"""
"""What every hook needs."""

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

    A device, unless told otherwise; options may be combined.

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
        output.prose(f"next: cd {name}; pip install -e '.[test]'; pytest; costmodel plugins")


def _check_name(name: str) -> None:
    package = name.replace("-", "_")
    if not _NAME.fullmatch(name):
        problem = "expected small letters and digits, words joined by '-', such as my-chip"
    elif keyword.iskeyword(package) or package in sys.stdlib_module_names:
        problem = "Python has a word or module of that name"
    elif name == "costmodel" or name in {plugin.name for plugin in catalogue.installed().plugins}:
        problem = "a plugin of that name is installed; see `costmodel plugins`"
    elif find_spec(package) is not None:
        problem = f"a module {package!r} is installed, which the plugin's own would hide"
    else:
        return
    message = f"{name!r} cannot be the name of a plugin: {problem}"
    raise CostModelError(message)


def _texts(name: str, sorts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every file of the distribution: its path and its text."""
    words = name.split("-")
    values = {
        "name": name,
        "package": "_".join(words),
        "Class": "".join(map(str.capitalize, words)),
        "title": " ".join(words).capitalize(),
    }

    def filled(text: str, **more: str) -> str:
        return Template(text).substitute(values, **more)

    def template(file: str, **more: str) -> str:
        text = (files("costmodel.cli") / "templates" / file).read_text(encoding="utf-8")
        return filled(text, **more)

    contents = "\n".join(filled(f"* {SORTS[sort].contents}") for sort in sorts)
    yield "pyproject.toml", template("pyproject.toml.txt")
    yield "README.md", template("README.md.txt", contents=contents)
    yield filled("$package/__init__.py"), template("package.py.txt")
    yield filled("$package/py.typed"), ""
    offered = [filled(_hook(hook, *offer)) for hook, offer in _offers(sorts)]
    hooks = "".join([_IMPORTS, *offered] if offered else [])
    yield filled("$package/hooks.py"), template("hooks.py.txt", hooks=hooks).rstrip() + "\n"
    for sort in sorts:
        yield filled(f"$package/{sort}.py"), template(f"{sort}.py.txt")
        yield f"tests/test_{sort}.py", template(f"test_{sort}.py.txt")
        for path, file in SORTS[sort].files.items():
            yield filled(path), template(file)


def _offers(sorts: Iterable[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    for sort in sorts:
        yield from SORTS[sort].hooks.items()


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
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
