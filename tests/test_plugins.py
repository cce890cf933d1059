"""Plugins that break: each is told clearly and harms nobody else."""

from __future__ import annotations

import contextlib
import re
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from attrs import frozen
from worlds import ALL, HOUSE, REGISTRY, plugin, world

import costmodel
from costmodel import Convention, Device, Layer, Reader, estimate, hookimpl
from costmodel.errors import (
    CostModelError,
    DeviceFileError,
    PluginError,
    ReadError,
    UnknownNameError,
)
from costmodel.network.layer import Input, LayerModule, setting
from costmodel.plugins import discovery as plugin_search
from costmodel.plugins.discovery import Plugin, Plugins
from costmodel.registry import Registry
from costmodel.tensor.shapes import Tensor


class Octave(Layer):
    """A third party's layer."""

    kinds = ("acme.Octave",)


class Other(Layer):
    """Another third party's layer, of the same kind."""

    kinds = ("acme.Octave",)


class Dense(Layer):
    """A layer of a kind that the house has."""

    kinds = ("keras.Dense",)


@frozen
class PerOperation(Device):
    """A device class of a family that the house has."""

    family = "per-operation"


class Sheet(Reader):
    """A reader of the mapping that a spreadsheet made, or of its address."""

    name = "sheet"
    reads = "a sheet"

    def accepts(self, source: Any) -> Any:
        return source in (SHEET, ADDRESS)

    def read(self, source: Any, rules: Any) -> Any:  # the interface of a reader
        return costmodel.Network("sheet", [Input("in", "input", shape=(3,))])


SHEET, ADDRESS = {"rows": 3}, "sheet://mine/7"


def fails() -> None:
    """A hook that fails."""
    message = "the licence server is down"
    raise RuntimeError(message)


def entry_point(name: str, value: object) -> Any:
    return metadata.EntryPoint(name, value, plugin_search.GROUP)


def problems(registry: Registry) -> Any:
    """What is wrong once everything has been asked for."""
    for table in ("layer_registry", "device_names", "device_families", "conventions", "commands"):
        getattr(registry, table)
    return "\n".join(registry.plugins.problems)


def still_works(registry: Registry) -> Any:
    network = costmodel.Network("n", [Input("in", "input", shape=(3,))])
    bill = estimate(network, "cpu", registry=registry)
    return bill.coverage("cpu").is_complete and registry.device_names == ALL


# ------------------------------------------------------------------ loading


def test_a_plugin_that_cannot_be_imported_is_kept_with_its_reason() -> None:
    found = Plugins()
    found.load(entry_point("broken", "no_such_module_at_all"))
    (broken,) = found
    assert broken.name == "broken"
    assert "cannot be imported: ModuleNotFoundError" in broken.problem
    assert found.problems == (f"plugin 'broken': {broken.problem}",)


def test_a_plugin_whose_import_raises_anything_is_kept_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raises_at_import.py").write_text("raise ValueError('no')")
    monkeypatch.syspath_prepend(tmp_path)
    found = Plugins()
    found.load(entry_point("broken", "raises_at_import"))
    assert "cannot be imported: ValueError: no" in next(iter(found)).problem


def test_a_plugin_that_leaves_the_interpreter_at_import_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exits_at_import.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    found = Plugins()
    found.load(entry_point("broken", "exits_at_import"))
    assert "SystemExit" in next(iter(found)).problem


def test_an_entry_point_without_that_attribute_is_kept_with_its_reason() -> None:
    found = Plugins()
    found.load(entry_point("broken", "costmodel_keras.hooks:nothing"))
    assert "AttributeError" in next(iter(found)).problem


def test_a_broken_import_leaves_the_others_at_work() -> None:
    found = Plugins.of(HOUSE)
    found.load(entry_point("broken", "no_such_module_at_all"))
    assert still_works(Registry(found))


def test_a_name_that_is_taken_is_reported_with_its_first_owner() -> None:
    found = Plugins()
    found.add(Plugin("twice", "first-distribution", "1"), plugin(layers=[Octave]))
    found.add(Plugin("twice", "second-distribution", "2"), plugin(layers=[Other]))
    assert found.problems == (
        "plugin 'twice': its name is taken by distribution 'first-distribution'",
    )
    assert Registry(found).layer_registry.find("acme.Octave") is Octave
    assert [item.problem is None for item in found] == [True, False]


def test_three_plugins_of_one_name_are_all_listed() -> None:
    found = Plugins()
    for distribution in ("first", "second", "third"):
        found.add(Plugin("same", distribution, "1"), plugin(layers=[]))
    assert [item.distribution for item in found] == ["first", "second", "third"]


def test_a_hook_with_an_argument_too_many_is_reported() -> None:
    @hookimpl
    def costmodel_layers(framework: Any) -> Any:
        return [framework]

    registry = world(**HOUSE, wrong=SimpleNamespace(costmodel_layers=costmodel_layers))
    assert "a hook does not fit" in problems(registry)
    assert "framework" in problems(registry)
    assert still_works(registry)


def test_a_hook_that_does_not_exist_is_reported_with_those_that_do() -> None:
    registry = world(**HOUSE, wrong=plugin(layer=[Octave]))
    assert "costmodel_layer" in problems(registry)
    assert "hooks: costmodel_commands, costmodel_conventions," in problems(registry)
    assert still_works(registry)


def test_a_hook_without_its_mark_is_reported() -> None:
    forgotten = SimpleNamespace(costmodel_devices=lambda: [PerOperation])
    registry = world(**HOUSE, wrong=forgotten)
    assert registry.plugins.problems == (
        "plugin 'wrong': defines costmodel_devices without @hookimpl, so it is never called",
    )
    assert still_works(registry)


def test_a_plugin_without_hooks_is_listed_and_harmless() -> None:
    registry = world(**HOUSE, empty=SimpleNamespace())
    assert [item.hooks for item in registry.plugins if item.name == "empty"] == [()]
    assert still_works(registry)


# ------------------------------------------------------------------ modules of layers


class Rare(Layer):
    """A layer of a module that is imported late."""

    kinds = ("acme.rare.Fold",)


LATE = LayerModule("acme.rare.", "late_layers")


@pytest.fixture
def late_layers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What was asked of a module of layers that stands in the place of a file."""
    asked: list[str] = []
    module: Any = ModuleType("late_layers")
    module.__getattr__ = lambda name: asked.append(name) or [Rare]
    monkeypatch.setitem(sys.modules, "late_layers", module)
    return asked


def test_a_module_of_layers_waits_for_a_kind_of_its_own(late_layers: list[str]) -> None:
    rules = world(**HOUSE, late=plugin(layer_modules=[LATE])).layer_registry
    assert rules.find("keras.Dense") is not None
    assert late_layers == []
    assert rules.find("acme.rare.Fold") is Rare
    assert rules.find("acme.rare.Fold") is Rare
    assert late_layers == ["LAYERS"]


def test_the_kinds_of_all_modules_are_known_to_who_asks_for_all(late_layers: list[str]) -> None:
    registry = world(late=plugin(layer_modules=[LATE]))
    assert "acme.rare.Fold" in registry.layer_registry.by_kind
    assert registry.owner("costmodel_layers", "acme.rare.Fold") == "late"


def test_a_module_of_layers_that_cannot_be_imported_is_reported() -> None:
    missing = LayerModule("acme.rare.", "nobody_wrote_this")
    registry = world(**HOUSE, late=plugin(layer_modules=[missing]))
    assert registry.layer_registry.find("acme.rare.Fold") is None
    assert "plugin 'late': nobody_wrote_this: ModuleNotFoundError" in problems(registry)
    assert still_works(registry)


def test_a_kind_of_a_module_that_another_plugin_offers_is_an_error(late_layers: list[str]) -> None:
    registry = world(early=plugin(layers=[Rare]), late=plugin(layer_modules=[LATE]))
    with pytest.raises(PluginError, match="'early' and by 'late'"):
        registry.layer_registry.find("acme.rare.Fold")


def test_a_module_of_layers_is_found_by_each_of_its_kinds(late_layers: list[str]) -> None:
    named = LayerModule(["acme.rare.Fold", "acme.rare.Bend"], "late_layers")
    rules = world(late=plugin(layer_modules=[named])).layer_registry
    assert rules.find("acme.rare.Twist") is None
    assert late_layers == []
    assert rules.find("acme.rare.Fold") is Rare
    assert rules.find("acme.rare.Bend") is None
    assert late_layers == ["LAYERS"]


def test_a_kind_that_a_module_of_layers_does_not_name_is_reported(late_layers: list[str]) -> None:
    named = LayerModule("acme.rare.Bend", "late_layers")
    registry = world(late=plugin(layer_modules=[named]))
    registry.ask_everything()
    assert late_layers
    assert "late_layers: 'acme.rare.Fold' is not among the kinds of its LayerModule" in problems(
        registry
    )


@pytest.mark.parametrize("kinds", ["acme.rare.", "acme.rare.Fold"])
def test_two_modules_for_a_kind_are_an_error_whatever_was_asked_before(
    late_layers: list[str], kinds: str
) -> None:
    twice = {name: plugin(layer_modules=[LayerModule(kinds, "late_layers")]) for name in "ab"}
    for prepared in (False, True):
        registry = world(**HOUSE, **twice)
        if prepared:
            registry.ask_everything()
        with pytest.raises(PluginError, match="is offered by plugin 'a' and by 'b'"):
            registry.layer_registry.find("acme.rare.Fold")
    assert late_layers == []


def test_both_plugins_of_a_conflict_are_blamed() -> None:
    registry = world(**HOUSE, thief=plugin(layers=[Dense]))
    registry.ask_everything()
    for owner in ("keras", "thief"):
        assert f"plugin {owner!r}: costmodel_layers: 'keras.Dense' is offered" in problems(registry)


class Misnamed(Layer):
    """The comma was forgotten."""

    kinds = "acme.Octave"  # type: ignore[assignment]


class Bare(Layer):
    """The decorator was forgotten."""

    kinds = ("acme.Octave",)
    units: int = setting(int)


class BareDevice(Device):
    """The decorator was forgotten."""

    family = "bare"


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        ({"layers": [Misnamed]}, r"kinds of Misnamed is 'acme.Octave'; expected a tuple of names"),
        ({"layers": [Bare]}, r"Bare is not decorated with @attrs.frozen"),
        ({"devices": [BareDevice]}, r"BareDevice is not decorated with @attrs.frozen"),
    ],
    ids=str,
)
def test_a_class_that_is_not_as_it_should_be_is_reported(offered: Any, words: str) -> None:
    registry = world(**HOUSE, odd=plugin(**offered))
    registry.ask_everything()
    assert re.search(words, problems(registry))
    assert still_works(registry)


def test_two_modules_for_one_prefix_are_reported() -> None:
    registry = world(one=plugin(layer_modules=[LATE]), two=plugin(layer_modules=[LATE]))
    registry.ask_everything()
    assert "'acme.rare.' is offered by plugin 'one' and by 'two'" in problems(registry)


# ------------------------------------------------------------------ answers

HOOKS = ("layers", "layer_modules", "devices", "device_files", "conventions", "commands", "readers")


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_that_fails_is_reported_and_the_others_are_asked(hook: str) -> None:
    registry = world(**HOUSE, wrong=plugin(**{hook: fails}))
    assert still_works(registry)
    with pytest.raises(ReadError, match="no such file: nothing"):
        registry.read("nothing")
    words = problems(registry)
    assert f"plugin 'wrong': costmodel_{hook}: RuntimeError: the licence server is down" in words


def halfway() -> Any:
    """A hook that fails after its first value."""
    yield Octave
    fails()


def test_a_hook_that_fails_half_way_is_reported() -> None:
    registry = world(**HOUSE, wrong=plugin(layers=halfway))
    assert "the licence server is down" in problems(registry)


NONSENSE = [7, "text", None, object(), object, int, [1], {"a": 1}]


@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("hook", HOOKS)
def test_nonsense_among_the_answers_is_reported_and_left_out(hook: str, value: object) -> None:
    registry = world(**HOUSE, wrong=plugin(**{hook: [value]}))
    assert still_works(registry)
    with pytest.raises(ReadError, match="no such file: nothing"):
        registry.read("nothing")
    assert f"plugin 'wrong': costmodel_{hook}: " in problems(registry)
    assert "is not what the hook returns" in problems(registry)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("answer", [None, 7], ids=repr)
def test_an_answer_that_is_not_a_list_is_reported(hook: str, answer: Any) -> None:
    registry = world(**HOUSE, wrong=plugin(**{hook: lambda: answer}))
    assert still_works(registry)
    with pytest.raises(ReadError, match="no such file: nothing"):
        registry.read("nothing")
    assert f"plugin 'wrong': costmodel_{hook}: TypeError" in problems(registry)


@pytest.mark.parametrize(
    ("hook", "value"),
    [("layers", Octave("o", "acme.Octave", (Tensor((3,)),))), ("readers", Sheet)],
    ids=["a layer for its class", "a reader's class for a reader"],
)
def test_a_class_for_a_value_and_a_value_for_a_class_are_reported(hook: str, value: object) -> None:
    registry = world(**HOUSE, wrong=plugin(**{hook: [value]}))
    with pytest.raises(ReadError, match="no such file: nothing"):
        registry.read("nothing")
    assert "is not what the hook returns" in problems(registry)


def test_each_hook_is_asked_once() -> None:
    asked = []

    def layers() -> Any:
        asked.append("layers")
        return [Octave]

    registry = world(**HOUSE, mine=plugin(layers=layers))
    for _ in range(3):
        assert registry.layer_registry.find("acme.Octave") is Octave
    assert asked == ["layers"]


# ------------------------------------------------------------------ names that are taken


def test_two_rules_for_one_kind_are_an_error_that_names_both_owners() -> None:
    registry = world(**HOUSE, first=plugin(layers=[Octave]), second=plugin(layers=[Other]))
    with pytest.raises(
        PluginError, match=r"'acme\.Octave' is offered by plugin 'first' and by 'second'"
    ):
        registry.layer_registry.find("acme.Octave")
    assert still_works(registry)


def test_a_third_party_cannot_take_a_kind_of_the_house_in_silence() -> None:
    registry = world(**HOUSE, thief=plugin(layers=[Dense]))
    with pytest.raises(
        PluginError, match=r"'keras\.Dense' is offered by plugin 'thief' and by 'keras'"
    ):
        registry.layer_registry.find("keras.Dense")
    assert registry.layer_registry.find("keras.Conv2D") is not None


def test_two_devices_of_one_name_are_an_error_that_names_both_owners(tmp_path: Path) -> None:
    file = tmp_path / "cpu.yaml"
    file.write_text("name: cpu")
    registry = world(**HOUSE, mine=plugin(device_files=[file]))
    with pytest.raises(PluginError, match="'cpu' is offered by plugin 'hardware' and by 'mine'"):
        registry.device("cpu")
    assert registry.device("gpu").name == "gpu"


def test_two_families_of_one_name_are_an_error_that_names_both_owners() -> None:
    registry = world(**HOUSE, mine=plugin(devices=[PerOperation]))
    with pytest.raises(
        (PluginError, DeviceFileError), match="offered by plugin 'hardware' and by 'mine'"
    ):
        registry.device("cpu")
    assert registry.device("loihi").name == "loihi"


def test_a_third_party_cannot_take_the_default_convention() -> None:
    registry = world(**HOUSE, mine=plugin(conventions=[Convention("costmodel")]))
    assert registry.convention("costmodel") is registry.conventions["costmodel"]
    assert any("'costmodel' is offered by" in problem for problem in registry.plugins.problems)


def test_two_readers_of_one_name_are_an_error() -> None:
    registry = world(**HOUSE, first=plugin(readers=[Sheet()]), second=plugin(readers=[Sheet()]))
    with pytest.raises(PluginError, match="'sheet' is offered by plugin 'first' and by 'second'"):
        registry.read(SHEET)


def test_a_file_that_is_called_otherwise_than_its_device_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(Path(REGISTRY.device("cpu").file).read_bytes())
    registry = world(**HOUSE, mine=plugin(device_files=[file]))
    with pytest.raises(DeviceFileError, match="expected 'mine' as the file is called, found 'cpu'"):
        registry.device("mine")


# ------------------------------------------------------------------ third parties at work


def test_third_party_reader_layer_and_device_go_through_the_front_door(tmp_path: Path) -> None:
    text = (
        "schema: costmodel/device/2\nname: toy\nclass: per-operation\nsources: {s: A book}\n"
        "parameters:\n"
        "  energy_per_multiply_accumulate: {value: 1 pJ, source: s, evidence: assumed}\n"
        "  energy_per_neuron_update: {value: 1 pJ, source: s, evidence: assumed}\n"
        "  energy_per_other_operation: {value: 1 pJ, source: s, evidence: assumed}\n"
    )
    (tmp_path / "toy.yaml").write_text(text)
    mine = plugin(readers=[Sheet()], layers=[Octave], device_files=[tmp_path / "toy.yaml"])
    registry = world(**HOUSE, mine=mine)
    bill = estimate(SHEET, "toy", registry=registry)
    assert bill.total("toy").energy_joules == 0
    assert not registry.plugins.problems


def test_third_party_reader_may_take_texts_that_are_not_a_path() -> None:
    registry = world(**HOUSE, mine=plugin(readers=[Sheet()]))
    assert registry.read(ADDRESS).name == "sheet"


# ------------------------------------------------------------------ names that are not there


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda world: world.device("loihy"), "unknown device 'loihy'\n  nearest known: 'loihi'"),
        (lambda world: world.device("CPU"), "nearest known: 'cpu'"),
        (lambda world: world.device("zzzz"), "known: a10, .* more\n.*or give the path of a YAML"),
        (lambda world: world.convention("costmodell"), "nearest known: 'costmodel'"),
        (
            lambda world: world.device("cpu", energy_per_mac="1 pJ"),
            "unknown parameter or setting 'energy_per_mac'.*these are all of device 'cpu'",
        ),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(ask: Any, message: str) -> None:
    with pytest.raises(UnknownNameError, match=rf"(?s){message}"):
        ask(world(**HOUSE))


@pytest.mark.parametrize(
    "ask",
    [
        lambda registry: registry.device("kestrel"),
        lambda registry: registry.convention("kestrel"),
        lambda registry: registry.load_device(KESTREL),
    ],
)
def test_an_unknown_name_is_answered_with_what_is_wrong_with_plugins(ask: Any) -> None:
    found = Plugins.of(HOUSE)
    found.load(entry_point("kestrel", "no_such_module_at_all"))
    message = "\n  plugin 'kestrel': cannot be imported: ModuleNotFoundError"
    with pytest.raises(CostModelError, match=message):
        ask(Registry(found))


class _File:
    """A file of a class that nobody offers."""

    def read_bytes(self) -> bytes:
        return b"schema: costmodel/device/2\nname: kestrel\nclass: kestrel\nsources: {}\n"


KESTREL: Any = _File()


def test_an_unknown_device_is_answered_with_those_that_cannot_be_loaded(tmp_path: Path) -> None:
    file = tmp_path / "kestrel.yaml"
    file.write_text("name: kestrel")
    registry = world(**HOUSE, acme=plugin(device_files=[file]))
    with pytest.raises(UnknownNameError) as caught:
        registry.device("kestrl")
    lines = str(caught.value).split("\n  ")
    assert lines[1] == "nearest known: 'kestrel'"
    assert lines[3] == "cannot be loaded: 'kestrel'"
    assert lines[-1].startswith(f"plugin 'acme': {file}: ")


@pytest.mark.parametrize("name", ["k1a.yaml", "k1a.yml"])
def test_a_file_given_without_its_ending_is_found_by_a_hint(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match="or give the path of a YAML file"):
        world(**HOUSE).device("k1a")
    (tmp_path / name).touch()
    with pytest.raises(UnknownNameError, match=f"file {name} is here: give it with its ending"):
        world(**HOUSE).device("k1a")


@pytest.mark.parametrize("name", ["k\0", "k" * 5000])
def test_what_can_be_no_file_is_an_unknown_device(name: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown device 'k"):
        world(**HOUSE).device(name)


def test_an_unknown_device_of_a_checkout_without_plugins_says_not_installed() -> None:
    with pytest.raises(UnknownNameError, match=r"never installed; run `pip install -e \.`"):
        world().device("cpu")


def test_a_source_without_readers_says_not_installed(tmp_path: Path) -> None:
    file = tmp_path / "network.keras"
    file.write_bytes(b"")
    with pytest.raises(ReadError, match="never installed"):
        world().read(file)


def test_a_reader_that_fails_at_a_look_is_reported_and_the_others_read() -> None:
    class Clumsy(Sheet):
        name = "clumsy"

        def accepts(self, source: object) -> bool:
            message = f"cannot look at {source!r:.10}"
            raise ValueError(message)

    registry = world(clumsy=plugin(readers=[Clumsy()]), **HOUSE)
    network = Path(__file__).parent / "networks" / "dense.json"
    assert registry.read(network).name == "dense"
    assert "plugin 'clumsy': reader 'clumsy': accepts: ValueError: cannot look" in problems(
        registry
    )


def test_a_program_may_send_what_plugins_print_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chatty.py").write_text("print('hello from the import')\n")
    monkeypatch.syspath_prepend(tmp_path)

    def chats() -> Any:
        print("hello from the hook")  # noqa: T201  # the subject of this test
        return []

    plugins = Plugins()
    with plugin_search.around_plugins(lambda: contextlib.redirect_stdout(sys.stderr)):
        plugins.load(metadata.EntryPoint("chatty", "chatty", plugin_search.GROUP))
        list(Plugins.of({"chatty": plugin(layers=chats)}).ask("costmodel_layers"))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == ["hello from the import", "hello from the hook"]
    list(Plugins.of({"chatty": plugin(layers=chats)}).ask("costmodel_layers"))
    assert capsys.readouterr().out.splitlines() == ["hello from the hook"]


def test_a_source_that_no_reader_takes_is_reported_with_what_they_do_take() -> None:
    with pytest.raises(ReadError, match=r"no reader accepts a 'int'.*keras"):
        world(**HOUSE).read(7)


def test_a_reader_says_what_to_do_with_a_source_that_it_knows_and_does_not_read(
    tmp_path: Path,
) -> None:
    old = tmp_path / "old.xls"
    old.write_bytes(b"")

    class Hinting(Sheet):
        def hint(self, source: Any) -> str:
            return "save it as a sheet" if source == old else ""

    class Failing(Sheet):
        name = "failing"

        def hint(self, source: Any) -> str:
            raise ValueError(source)

    made = world(mine=plugin(readers=[Failing(), Hinting()]))
    with pytest.raises(ReadError, match=r"^no reader accepts '.*old.xls': save it as a sheet$"):
        made.read(old)
    with pytest.raises(ReadError, match=r"no reader accepts a 'int'; .*sheet reads a sheet"):
        made.read(7)


def test_a_source_is_not_read_where_the_reader_s_plugin_is_broken_and_that_is_reported() -> None:
    def fail() -> Any:
        message = "no luck"
        raise RuntimeError(message)

    with pytest.raises(ReadError, match="plugin 'keras': costmodel_readers: RuntimeError: no luck"):
        world(keras=plugin(readers=fail)).read(7)


@pytest.mark.parametrize(
    ("source", "words"),
    [("nowhere.keras", "nowhere.keras"), ("", "''"), ("x" * 5000, "x" * 200)],
)
def test_a_file_that_is_not_there_is_reported(source: str, words: str) -> None:
    with pytest.raises(ReadError, match=f"^no such file: {re.escape(words)}$"):
        world(**HOUSE).read(source)


# ------------------------------------------------------------------ the real search


def test_the_installed_plugins_are_found_by_their_entry_points() -> None:
    house = {point.name: point for point in metadata.entry_points(group=plugin_search.GROUP)}
    found = {item.name: item for item in Plugins.discover()}
    assert {"hardware", "keras", "spiking"} <= house.keys() & found.keys()
    for name in ("hardware", "keras", "spiking"):
        assert found[name].problem is None
        assert found[name].distribution == "costmodel-nn"
        assert found[name].version == metadata.version("costmodel-nn")
