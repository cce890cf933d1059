"""The answers to golden cases of QTools in a process of its own.

    python -m golden.qtools_answers SEED [--all]

SEED moves the addresses of objects. Without `--all` a quarter of the cases with merges is asked.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
import warnings
from typing import Any

import keras
import qkeras
from golden import specs
from golden.qtools_cases import CASES, SAMPLE, ask, exactly, savable

import costmodel


def answer(case: specs.Case) -> list[str]:
    """What the drop-in and the convention say of one live model."""
    keras.backend.clear_session(free_memory=False)
    with contextlib.redirect_stdout(io.StringIO()):  # QKeras prints
        model = specs.build(savable(case["spec"]), [qkeras])
    tools = ask(model, case)
    energy = tools.pe(**case["memory"])
    total = tools.extract_energy_sum(tools.include_energy, energy)
    estimate = costmodel.estimate(
        model, "horowitz-45nm", convention="qtools", on_unpriced="bound"
    )  # fmt: skip
    made = estimate.to_dict()
    made["network"].pop("name")  # Keras numbers its models
    return [exactly(tools._output_dict), exactly(energy), str(total), json.dumps(made)]


def scattered(seed: str) -> list[Any]:
    """Objects of drawn sizes with gaps between them, so that others lie elsewhere."""
    draw = random.Random(seed)  # noqa: S311  # sizes, no secrets
    held = [bytearray(draw.randrange(1, 600)) for _ in range(20_000)]
    return [each for each in held if draw.random() < 0.5]


def main() -> None:
    """Write the answers as JSON, by the name of the case."""
    seed, *options = sys.argv[1:]
    warnings.simplefilter("ignore")
    held = scattered(seed)
    answers = {case["name"]: answer(case) for case in (CASES if options else SAMPLE)}
    json.dump(answers, sys.stdout)
    held.clear()


if __name__ == "__main__":
    main()
