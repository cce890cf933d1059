"""Mutation testing of the core: small faults are put into a module, and a test has to notice.

    pip install -e '.[testing]' cosmic-ray jsonschema pint
    python .ci/mutation.py                      # 150 mutants of each module; half an hour
    python .ci/mutation.py report.bills --sample 0     # every mutant of one module

Cosmic Ray makes the mutants. Each is tested in a fork of this process that imports the mutated
source in place of the file, so that no file changes and nothing heavy is imported twice. The
tests of a module run in the order of `TESTS` until one fails. Tests that need TensorFlow are
not among them: what survives here may still be caught by the whole suite.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import importlib.abc
import importlib.util
import itertools
import json
import os
import random
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ROOT: Final = Path(__file__).parent.parent
TESTS: Final = {
    "formats": [
        "test_circuits.py", "test_formats.py", "qkeras/test_formats.py",
        "hardware/test_horowitz.py",
    ],
    "workload.operators": [
        "test_operators.py", "workload/test_operators.py", "workload/test_refused.py",
        "contracts/test_operators.py", "hardware/test_horowitz.py",
        "test_rendering.py",
    ],
    "devices.device": [
        "test_devices.py", "test_devicefile.py", "test_format_tables.py", "test_runtimes.py",
        "hardware/test_horowitz.py", "test_rendering.py", "test_scenario.py", "test_ignored.py",
        "test_capabilities.py", "evaluation/test_evaluation.py", "evaluation/test_groups.py",
        "evaluation/test_schedule.py", "evaluation/test_placement.py",
        "hardware/test_processor.py", "test_operator_batch.py",
    ],
    "estimates.estimate": [
        "test_estimates.py", "test_rendering.py", "test_scenario.py", "test_threads.py",
    ],
    "report.bills": [
        "test_bills.py", "test_estimates.py", "test_rendering.py", "test_comparison.py",
        "evaluation/test_results.py",
    ],
}  # fmt: skip
"""The tests that a mutant of a module of `costmodel` meets, the quickest first."""
SEED: Final = 5
SAMPLE: Final = 150
WANTED: Final = 0.85
SECONDS: Final = 240
"""Of processor time and of the clock, several times what any of the lists takes."""
MEMORY_BYTES: Final = 4 << 30
SURVIVED: Final = ""
IMPORTED_ONCE: Final = (
    "attrs", "cattrs", "cattrs.gen", "click.testing", "h5py", "hypothesis.strategies",
    "jsonschema", "numpy", "pint", "pluggy", "rich.console", "rich.progress", "rich.table", "yaml",
)  # fmt: skip


def source_of(module: str) -> Path:
    """The file of a module of `costmodel`, such as `workload.operators`."""
    return (ROOT / "costmodel").joinpath(*module.split(".")).with_suffix(".py")


class Mutant(NamedTuple):
    """One fault: the operator of Cosmic Ray, and at which of its places in the module."""

    module: str
    operator: str
    occurrence: int

    @property
    def original(self) -> str:
        """The source of the module."""
        return source_of(self.module).read_text()

    @property
    def source(self) -> str:
        """The source with the fault."""
        operator = plugins.get_operator(self.operator)()
        return str(mutate_code(self.original, operator, self.occurrence))

    def difference(self) -> str:
        """The lines that differ."""
        lines = difflib.unified_diff(
            self.original.splitlines(), self.source.splitlines(), lineterm="", n=0
        )
        return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


class _Unannotated(ast.NodeTransformer):
    """Removes annotations, which nothing evaluates."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:  # as ast has it
        node.annotation = ast.Constant(None)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # as ast has it
        node.returns = None
        return self.generic_visit(node)


def meaning(source: str) -> str:
    """What of a source is run."""
    return ast.dump(_Unannotated().visit(ast.parse(source)))


def mutants(module: str) -> Iterator[Mutant]:
    """All mutants of a module, in random order.

    Left out are those that no Python reads, and those that differ in annotations alone.
    """
    original = Mutant(module, "", 0).original
    tree, meant = get_ast(original), meaning(original)
    found = [
        Mutant(module, name, occurrence)
        for name in plugins.operator_names()
        if not (cls := plugins.get_operator(name)).arguments()  # those need names to put in
        for occurrence in range(
            sum(len(list(cls().mutation_positions(node))) for node in ast_nodes(tree))
        )
    ]
    random.Random(SEED).shuffle(found)  # noqa: S311  # no secret
    for mutant in found:
        try:
            differs = meaning(mutant.source) != meant
        except SyntaxError:
            continue
        if differs:
            yield mutant


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports one module from the source of a mutant."""

    def __init__(self, module: str, source: str) -> None:
        self.name, self.source = f"costmodel.{module}", source
        self.file = source_of(module)

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> Any:
        found: ModuleSpec | None = None
        if fullname == self.name:
            found = importlib.util.spec_from_file_location(fullname, self.file, loader=self)
        return found

    def get_source(self, fullname: str) -> str:
        return self.source


class _FirstFailure:
    """Remembers which test failed."""

    name = "the collection"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self.name == _FirstFailure.name:
            self.name = report.nodeid


def killer(module: str, source: str) -> str:
    """The test that fails with this source of a module, `SURVIVED` if none does."""
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        name = "the tests cannot be run"
        try:
            _limit()
            name = _first_failure(module, source)
        finally:
            os.write(send, name.encode())
            os._exit(0)
    os.close(send)
    with os.fdopen(receive) as pipe:
        name = pipe.read()
    _, status = os.waitpid(child, 0)
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else name


def _limit() -> None:
    """End a child that computes, waits or takes without end."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    signal.alarm(4 * SECONDS)  # other jobs may share the cores


def _first_failure(module: str, source: str) -> str:
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    sys.meta_path.insert(0, _Mutated(module, source))
    for file in TESTS[module]:
        failure = _FirstFailure()
        options = [
            "-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:randomly",
            "-p", "_hypothesis_pytestplugin",
            "--hypothesis-seed=0", "-m", "not slow",
            "-W", "ignore::pytest.PytestAssertRewriteWarning",
        ]  # fmt: skip
        if pytest.main([*options, str(ROOT / "tests" / file)], plugins=[failure]):
            return failure.name
    return SURVIVED


def run(chosen: Iterable[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """Test the mutants one after the other, and tell of each survivor."""
    for mutant in chosen:
        found = killer(mutant.module, mutant.source)
        if found == SURVIVED:
            print(f"{mutant.module} survived {mutant.operator} {mutant.occurrence}")
            print(mutant.difference(), flush=True)
        yield mutant, found


def main() -> int:
    """Test the modules that the command line names; 1 where too many mutants survive."""
    parser = argparse.ArgumentParser(description="Mutation testing of the core.")
    parser.add_argument("modules", nargs="*", help=f"of {', '.join(TESTS)}; all if none is named")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="mutants of a module, 0: all")
    parser.add_argument("--results", type=Path, help="a file for what became of each mutant")
    parser.add_argument("--again", type=Path, help="only those that survived in these results")
    given = parser.parse_args()
    os.chdir(ROOT)
    os.environ["HYPOTHESIS_PROFILE"] = "quick"
    # pytest imports every module of a distribution that has a plugin for it by itself, past
    # `_Mutated`; ours has one.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in IMPORTED_ONCE:
        importlib.import_module(name)
    failed = False
    for module in given.modules or TESTS:
        failure = killer(module, Mutant(module, "", 0).original)
        if failure != SURVIVED:
            sys.exit(f"{module}: {failure} fails without any mutant")
        chosen: Iterable[Mutant] = itertools.islice(mutants(module), given.sample or None)
        if given.again:
            chosen = [
                Mutant(*key) for *key, name in map(json.loads, given.again.open())
                if key[0] == module and name == SURVIVED
            ]  # fmt: skip
        outcomes = []
        for mutant, name in run(chosen):
            outcomes.append(name != SURVIVED)
            if given.results:
                with given.results.open("a") as file:
                    print(json.dumps([*mutant, name]), file=file)
        share = sum(outcomes) / len(outcomes) if outcomes else 1.0
        failed |= share < WANTED
        print(f"{module}: {sum(outcomes)} of {len(outcomes)} mutants killed ({share:.1%})")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
