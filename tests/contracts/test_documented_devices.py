"""Every device of the documentation, of a fresh scaffold and of the example plugin keeps the laws.

The classes are found in the pages themselves, so that a new example is tested as well. Their
parameters are drawn from what they declare, and the device files are taken as they are.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pages
import pytest
from click.testing import CliRunner
from hypothesis import settings
from worlds import EVERYTHING

from costmodel import Device
from costmodel.cli import main
from costmodel.devicefile import load_device
from costmodel.testing import DeviceContract, strategies

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_CLASS = re.compile(r"^class (\w+)\(Device\):", re.MULTILINE)
_PACKAGE = "scaffolded"


class Example(NamedTuple):
    """A device class of a page, or a device file of one (`name` is then empty)."""

    page: Path
    file: str
    name: str

    def __str__(self) -> str:
        return f"{self.page.stem}-{self.name or self.file}"


def _is_before_its_fit(content: str) -> bool:
    """Whether it describes a processor whose figures `costmodel fit` will find."""
    return "class: processor" in content and "runtimes:" not in content


def _examples() -> Iterator[Example]:
    for page in PAGES:
        for block in pages.blocks(page):
            is_device = block.language == "yaml" and "schema: costmodel/device/" in block.content
            if is_device and not _is_before_its_fit(block.content):
                yield Example(page, block.file, "")
            for name in _CLASS.findall(block.content):
                yield Example(page, block.file, name)


EXAMPLES = list(_examples())


def _written(page: Path, folder: Path) -> None:
    """The files of a page, each as it is at the end of the page."""
    for block in pages.blocks(page):
        if block.file:
            file = folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.content)


def _class(module: str, name: str) -> type[Device]:
    found: type[Device] = getattr(importlib.import_module(module), name)
    return found


def _module(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".")


def _families(page: Path) -> dict[str, type[Device]]:
    classes = [_class(_module(one.file), one.name) for one in EXAMPLES if one[0] == page and one[2]]
    return {**EVERYTHING.device_families, **{cls.family: cls for cls in classes}}


@pytest.fixture(autouse=True)
def few_examples() -> Iterator[None]:
    """The laws of ready-made devices are searched by the kit's own tests; here a look is enough."""
    before = settings.get_current_profile_name()
    settings.load_profile("quick")
    yield
    settings.load_profile(before)


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder from which modules can be imported; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        origin = getattr(sys.modules[name], "__file__", None) or ""
        if origin.startswith(str(tmp_path)):
            del sys.modules[name]


class TestDocumentedDevice(DeviceContract):
    """A class with any figures that it declares, a file with its own."""

    @pytest.fixture(
        params=[one if one.name else pytest.param(one, marks=pytest.mark.slow) for one in EXAMPLES],
        ids=str,
    )
    def device(self, request: pytest.FixtureRequest, imported: Path) -> Any:
        example: Example = request.param
        _written(example.page, imported)
        if example.name:
            return strategies.devices(_class(_module(example.file), example.name))
        blocks = [one for one in pages.blocks(example.page) if one.file == example.file]
        text = next(one.content for one in blocks if one.language == "yaml")
        return load_device(text.encode(), example.file, _families(example.page))


class TestScaffoldedDevice(DeviceContract):
    """What `costmodel new-plugin --device` writes."""

    @pytest.fixture
    def device(self, imported: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.chdir(imported)
        done = CliRunner().invoke(main, ["new-plugin", _PACKAGE, "--device"])
        assert done.exit_code == 0, done.output
        monkeypatch.syspath_prepend(imported / _PACKAGE)
        (file,) = (imported / _PACKAGE).rglob("device.py")
        (name,) = _CLASS.findall(file.read_text())
        return strategies.devices(_class(f"{file.parent.name}.device", name))


class TestDeviceOfTheExamplePlugin(DeviceContract):
    """What the plugin in the tests offers."""

    @pytest.fixture(params=["devices.Crossbar", "array.WeightStationary"])
    def device(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.syspath_prepend(ROOT / "tests" / "example_plugin")
        module, name = request.param.split(".")
        return strategies.devices(_class(f"acme_costmodel.{module}", name))


def test_every_device_class_of_a_page_stands_in_a_file_of_it() -> None:
    assert [str(one) for one in EXAMPLES if one.name and not one.file] == []
    assert {one.name for one in EXAMPLES} >= {
        "Systolic",
        "ByteMover",
        "NightOwl",
        "Radar",
        "WeightStationary",
        "BitSerial",
    }
