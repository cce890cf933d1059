"""The inputs of merges in their declared order, in every process alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from golden.qtools_cases import DECLARED_ORDER, MERGING, SAMPLE, data_types, exactly

PROCESSES = {"0": "pymalloc", "1": "malloc", "4242": "pymalloc"}
"""Hash seeds, and the allocators of memory."""


@pytest.mark.parametrize("name", DECLARED_ORDER)
def test_the_declared_order_moves_the_inputs_of_a_merge_and_changes_none(name: str) -> None:
    (case,) = (case for case in MERGING if case["name"] == name)
    recorded = case["expected"]["dtypes"]
    for layer, inputs in DECLARED_ORDER[name].items():
        before = [exactly(kind) for kind in recorded[layer]["input_quantizer_list"]]
        after = [exactly(kind) for kind in inputs]
        assert before != after
        assert sorted(before) == sorted(after)


@pytest.mark.slow
def test_hash_seeds_and_memory_addresses_change_no_answer() -> None:
    pytest.importorskip("qkeras.qtools")  # a folder of tests may be called qkeras
    first, *others = [json.loads(answers) for answers in map(_answers, PROCESSES)]
    assert first.keys() == {case["name"] for case in SAMPLE}
    for case in SAMPLE:
        data, energy, total, _ = first[case["name"]]
        assert data == exactly(data_types(case))
        assert energy == exactly(case["expected"]["energy"])
        assert total == str(case["expected"]["sum"])
    assert others == [first, first]


def _answers(seed: str) -> str:
    """What `golden.qtools_answers` writes in a process with this hash seed."""
    settings = {"PYTHONHASHSEED": seed, "PYTHONMALLOC": PROCESSES[seed]}
    done = subprocess.run(  # our own program
        [sys.executable, "-m", "golden.qtools_answers", seed],
        env={**os.environ, **settings, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
