"""The house rules: the import stair, light imports, the wheel, names, words and licence."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml
from worlds import REGISTRY

ROOT = Path(__file__).parent.parent
CORE = ROOT / "costmodel"
PACKAGES = {
    "costmodel": CORE,
    **{
        hooks.parent.name: hooks.parent for hooks in (ROOT / "plugins").glob("costmodel_*/hooks.py")
    },
    "costmodel_hardware": ROOT / "hardware/costmodel_hardware",
    "costmodel_validation": ROOT / "validation/costmodel_validation",
}
SOURCES = sorted(file for folder in PACKAGES.values() for file in folder.rglob("*.py"))
FOLDERS = sorted({file.parent for file in SOURCES if (file.parent / "__init__.py").exists()})
COMPONENTS = PACKAGES["costmodel_hardware"] / "components"
"""Its YAML files are tables of components and no devices; tests/hardware/test_components.py."""
DEVICE_FILES = sorted(
    set(PACKAGES["costmodel_hardware"].rglob("*.yaml")) - set(COMPONENTS.iterdir())
)

FRAMEWORKS = {"keras", "tensorflow", "torch", "jax", "h5py", "hgq", "qkeras", "keras_spiking"}
PARSERS = {"onnx", "jaxlib", "tflite", "flatbuffers"}
"""What a frontend imports to read a file."""
HEAVY = FRAMEWORKS | PARSERS | {"numpy", "cattrs", "rich", "click", "yaml", "pint", "xdsl"}

STAIR = [
    "errors",
    "version",
    "frozen_dict",
    "packages",
    "safe_io",
    "units",
    "formats",
    "tensor",
    "workload",
    "scenario",
    "network",
    "devices",
    "conventions",
    "frontend",
    "plugins",
    "devicefile",
    "registry",
    "report",
    "estimates",
    "budgets",
    "sweeps",
    "optimize",
    "html",
    "cli",
    "__main__",
    "testing",
    "pytest_plugin",
]
"""The steps of the core, each of which imports only from those before it (DESIGN section 4)."""


def label(file: Path) -> Any:
    return str(file.relative_to(ROOT))


def is_for_checkers(node: ast.AST) -> Any:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def named_by(node: ast.AST) -> Any:
    """The names of the modules, and of things in modules, that an import names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported(tree: ast.AST, *, also_in_functions: Any) -> Any:
    """The names of the modules that run-time imports name, each with its top-level package."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from named_by(node)
        elif is_for_checkers(node):
            for other in node.orelse:
                yield from imported(other, also_in_functions=also_in_functions)
        elif also_in_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imported(node, also_in_functions=also_in_functions)


@functools.cache
def core_graph() -> Any:
    """The step of every import between modules of the core, type-only ones too, by module."""
    steps = {step_of(file) for file in core_files()}
    graph = {step: set() for step in steps - {"costmodel"}}
    for file in core_files():
        step = step_of(file)
        names = [name for node in ast.walk(ast.parse(file.read_text())) for name in named_by(node)]
        named = [name.split(".") for name in names]
        found = {name[1] for name in named if name[0] == "costmodel" and len(name) > 1}
        graph[step] |= (found & graph.keys()) - {step}
    return graph


def step_of(file: Path) -> str:
    """The module of the core, or the package directly below it that holds the module."""
    return file.relative_to(CORE).with_suffix("").parts[0]


def core_files() -> Any:
    return [file for file in CORE.rglob("*.py") if file != CORE / "__init__.py"]


def test_the_imports_of_the_core_make_a_stair_without_a_circle() -> None:
    order = list(TopologicalSorter(core_graph()).static_order())
    assert len(order) == len(core_graph())


MUTUAL = {"costmodel.devices.device", "costmodel.devices.evaluation.evaluator"}
"""A device is evaluated step by step, and an estimate names the device: types alone, both ways."""


@pytest.mark.parametrize("package", PACKAGES)
def test_the_modules_of_a_package_import_each_other_in_no_circle(package: str) -> None:
    """Type-only imports included."""
    root = PACKAGES[package]
    modules = {module_of(file): file for file in SOURCES if root in file.parents}
    modules.pop("costmodel", None)  # it imports what is asked for
    graph = {
        module: {
            found
            for node in ast.walk(ast.parse(file.read_text()))
            for found in modules_named_by(node, modules.keys())
            if found != module and {found, module} != MUTUAL
        }
        for module, file in modules.items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


def modules_named_by(node: ast.AST, modules: Any) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        return {name if name in modules else node.module for name in names} & modules
    return set(named_by(node)) & modules


def module_of(file: Path) -> str:
    (folder,) = [root.parent for root in PACKAGES.values() if root in file.parents]
    parts = file.relative_to(folder).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def test_the_stair_names_every_module_of_the_core() -> None:
    assert core_graph().keys() == set(STAIR)


@pytest.mark.parametrize("step", STAIR)
def test_a_step_of_the_stair_imports_only_from_those_before_it(step: str) -> None:
    assert core_graph()[step] <= set(STAIR[: STAIR.index(step)])


MOST_MODULES = 9
NOT_COUNTED = {"__init__", "__main__", "version"}
LARGER = {
    "plugins/costmodel_keras/layers": "a module for each family of layers",
    "plugins/costmodel_qkeras/qtools": "a module for each step of the ancestor's program",
}
"""Packages of more modules, and why."""


@pytest.mark.parametrize("folder", FOLDERS, ids=label)
def test_a_package_has_few_modules(folder: Path) -> None:
    modules = {file.stem for file in folder.glob("*.py")} - NOT_COUNTED
    assert len(modules) <= MOST_MODULES or label(folder) in LARGER


@pytest.mark.parametrize("folder", FOLDERS, ids=label)
def test_a_package_holds_its_classes_in_modules(folder: Path) -> None:
    tree = ast.parse((folder / "__init__.py").read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def test_the_core_imports_no_plugin() -> None:
    for file in CORE.rglob("*.py"):
        tree = ast.parse(file.read_text())
        tops = {name.partition(".")[0] for name in imported(tree, also_in_functions=True)}
        assert not tops & (PACKAGES.keys() - {"costmodel"}), label(file)


WORKER = "validation/costmodel_validation/measuring/worker.py"
"""It runs with what its user has installed, and says what is missing."""


@functools.cache
def packages_imported() -> Any:
    """The top-level packages that each module imports anywhere, by the label of its file."""
    return {
        label(file): {
            name.partition(".")[0]
            for name in imported(ast.parse(file.read_text()), also_in_functions=True)
        }
        for file in SOURCES
    }


def test_no_module_imports_a_framework() -> None:
    found = {file: tops & FRAMEWORKS for file, tops in packages_imported().items()}
    # These are programs of their own: three read HDF5 where it can do no harm, one times networks.
    expected = {
        "costmodel/frontend/hdf5/hdf5_attributes.py": {"h5py"},
        "costmodel/frontend/hdf5/hdf5_tree.py": {"h5py"},
        "costmodel/frontend/hdf5/hdf5_variables.py": {"h5py"},
        WORKER: {"keras", "tensorflow", "torch"},
    }
    assert {file: tops for file, tops in found.items() if tops} == expected


DISTRIBUTIONS = {"yaml": "pyyaml"}
"""The distribution of an imported package, where it has another name."""
EXTRAS = {
    "/testing/": "testing",
    "/pytest_plugin.py": "testing",
    "/linalg/": "mlir",
    "/fits/": "fit",
    "/html/": "report",
    "/costmodel_onnx/": "onnx",
    "/costmodel_stablehlo/": "stablehlo",
    "/costmodel_tflite/": "tflite",
}
"""The extra that brings what the modules of a folder import."""


@pytest.mark.parametrize("file", SOURCES, ids=label)
def test_no_module_changes_what_holds_for_the_whole_process(file: Path) -> None:
    """A library does not; the command line is a program of its own, the kit one of tests."""
    if {"cli", "testing"} & set(file.parts):
        return
    tree = ast.parse(file.read_text())
    used = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    imported_names = {name for node in ast.walk(tree) for name in named_by(node)}
    assert not (used | imported_names) & PROCESS_WIDE


PROCESS_WIDE = {
    "gc.disable", "gc.enable", "gc.freeze", "gc.set_threshold", "copyreg.pickle",
    "contextlib.redirect_stdout", "contextlib.redirect_stderr", "os.chdir", "os.putenv",
    "sys.setrecursionlimit", "locale.setlocale", "logging.basicConfig", "signal.signal",
}  # fmt: skip


def test_a_plain_installation_brings_every_package_that_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for file, tops in packages_imported().items():
        own = [line for part, extra in EXTRAS.items() if part in file for line in extras[extra]]
        lines = project["dependencies"] + own
        declared = {re.split(r"[<>=]", line)[0] for line in lines}
        if file == WORKER:
            continue
        needed = tops - PACKAGES.keys() - sys.stdlib_module_names
        assert {DISTRIBUTIONS.get(top, top) for top in needed} <= declared, file


def run_alone(program: str) -> list[str]:
    """The words that a program prints in an interpreter of its own."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # ours
    return done.stdout.split()


def test_importing_costmodel_brings_nothing_heavy() -> None:
    program = f"import sys, costmodel; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    assert run_alone(program) == []


def test_the_pytest_plugin_brings_nothing_heavy() -> None:
    program = f"import sys, costmodel.pytest_plugin; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    assert run_alone(program) == []


@pytest.mark.parametrize(
    "plugin", sorted(PACKAGES.keys() - {"costmodel", "costmodel_qkeras", "costmodel_validation"})
)
def test_the_hooks_of_a_plugin_bring_nothing_heavy(plugin: str) -> None:
    program = f"import sys, {plugin}.hooks; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    assert run_alone(program) == []


def test_every_public_name_of_the_package_is_there_and_documented() -> None:
    import costmodel  # noqa: PLC0415  # the subject of this test

    aliases = {"Outcome", "Shape", "Work"}
    for name in costmodel.__all__:
        member = getattr(costmodel, name)
        assert name in aliases or member.__doc__, name
    assert set(costmodel.__all__) == set(dir(costmodel))


def test_a_public_name_that_is_not_there_is_an_attribute_error() -> None:
    import costmodel  # noqa: PLC0415  # the subject of this test

    with pytest.raises(AttributeError, match="no attribute 'compar'; nearest: 'compare'"):
        _ = costmodel.compar


def test_a_module_is_there_without_an_import_of_its_own() -> None:
    program = "import costmodel; print(costmodel.devices.Charge, costmodel.tensor.shapes.Tensor)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Charge" in done.stdout


# ------------------------------------------------------------------ words


def public(tree: ast.AST, prefix: str = "") -> Any:
    """Every public class and function with its dotted name; an overload is for type checkers."""
    for node in ast.iter_child_nodes(tree):
        kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if (
            isinstance(node, kinds)
            and not node.name.startswith("_")
            and "overload" not in map(ast.unparse, node.decorator_list)
        ):
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{prefix}{node.name}.")


def test_every_public_thing_is_documented() -> None:
    bare = [
        f"{label(file)}: {name}"
        for file in SOURCES
        for tree in [ast.parse(file.read_text())]
        for name, node in [("the module", tree), *public(tree)]
        if not ast.get_docstring(node)
    ]
    assert bare == []


def test_a_module_is_called_after_what_it_holds() -> None:
    empty = re.compile(r"_?(utils?|helpers?|misc|common|tools?)")
    assert [label(file) for file in SOURCES if empty.fullmatch(file.stem)] == []


@pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES.keys())
def test_a_package_is_typed(package: Path) -> None:
    assert (package / "py.typed").is_file()
    assert (package / "__init__.py").is_file()


@pytest.mark.parametrize("folder", ["plugins", "hardware"])
def test_a_folder_of_packages_is_not_a_package(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists()
    assert all(item.name.startswith("costmodel_") for item in (ROOT / folder).iterdir())


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()


# ------------------------------------------------------------------ figures


TESTS = sorted((ROOT / "tests").rglob("*.py"))


def test_no_test_takes_a_picojoule_for_nothing() -> None:
    """pytest's own approximation does, unless it is told otherwise."""
    loose = [
        f"{label(file)}:{call.lineno}"
        for file in TESTS
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).endswith("approx")
        and "abs" not in {word.arg for word in call.keywords}
    ]
    assert loose == []


def figures(raw: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The figures of a device file with their names, those of tables and runtimes too."""
    runtimes = [one for key, one in raw.get("runtimes", {}).items() if key != "default"]
    for given in (raw, *runtimes):
        for name, entry in given["parameters"].items():
            if "value" in entry:
                yield name, entry
            else:
                yield from ((name, figure) for figure in entry.values())


def cited(raw: Any) -> set[str]:
    """The sources that anything in a device file names."""
    if isinstance(raw, list):
        return {source for one in raw for source in cited(one)}
    if not isinstance(raw, dict):
        return set()
    own = {raw["source"]} if isinstance(raw.get("source"), str) else set()
    return own | {source for key, one in raw.items() if key != "sources" for source in cited(one)}


@pytest.mark.parametrize("file", DEVICE_FILES, ids=label)
def test_every_number_of_a_device_file_has_a_unit_a_source_and_evidence(file: Path) -> None:
    raw = yaml.safe_load(file.read_text())
    units = REGISTRY.device_families[raw["class"]].parameter_units()
    assert raw["parameters"]
    for name, entry in figures(raw):
        assert entry["source"] in raw["sources"], name
        assert entry["evidence"] in {"measured", "simulated", "vendor", "derived", "assumed"}, name
        unit = rf" [a-zA-Zµ]{{,2}}{units[name]}" if units[name] else ""
        assert re.fullmatch(rf"\d+(\.\d+)?(e-\d+)?{unit}", str(entry["value"])), name


@pytest.mark.parametrize("file", DEVICE_FILES, ids=label)
def test_every_source_of_a_device_file_is_cited(file: Path) -> None:
    raw = yaml.safe_load(file.read_text())
    # The source of a range is named in the note that derives it.
    notes = " ".join(entry.get("note", "") for _, entry in figures(raw))
    in_notes = {key for key in raw["sources"] if re.search(rf"\b{re.escape(key)}\b", notes)}
    assert raw["sources"].keys() == cited(raw) | in_notes


@pytest.mark.parametrize("file", DEVICE_FILES, ids=label)
def test_a_derived_or_assumed_number_says_how(file: Path) -> None:
    raw = yaml.safe_load(file.read_text())
    for name, entry in figures(raw):
        is_known = entry["evidence"] in {"measured", "simulated", "vendor"}
        says_how = "note" in entry or entry["source"] in {"fit", "relative", "assumption", "known"}
        assert is_known or says_how, name


@pytest.mark.parametrize("file", DEVICE_FILES, ids=label)
def test_a_device_file_is_called_after_its_device(file: Path) -> None:
    assert yaml.safe_load(file.read_text())["name"] == file.stem


# ------------------------------------------------------------------ the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The wheel of this repository, built without the network."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # our own
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return archive.namelist()


@pytest.mark.slow
def test_the_wheel_holds_the_packages_and_nothing_else(wheel: list[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel}
    assert {name for name in tops if not name.endswith(".dist-info")} == PACKAGES.keys()


@pytest.mark.slow
def test_the_wheel_holds_every_module_device_file_and_marker(wheel: list[str]) -> None:
    for package, folder in PACKAGES.items():
        kinds = ("*.py", "*.yaml", "*.css", "*.js", "py.typed")
        files = [file for kind in kinds for file in folder.rglob(kind)]
        expected = {f"{package}/{file.relative_to(folder).as_posix()}" for file in files}
        assert expected <= set(wheel)


@pytest.mark.slow
def test_the_wheel_holds_the_licence(wheel: list[str]) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in wheel)
