"""Executors that plugins offer: where sweeps run their chunks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

from attrs import field, frozen
from attrs.validators import and_, instance_of, min_len


@frozen
class ExecutorFactory:
    """A name, and what makes an executor of `concurrent.futures`.

    `make` is given the text behind the name: `partition=long` of `slurm:partition=long`, which may
    be empty. The executor is shut down after the sweep. Its processes need `costmodel` and what
    the design space needs.

    Raises:
        TypeError: the name is not a text.
        ValueError: the name is empty.

    """

    name: str = field(validator=and_(instance_of(str), min_len(1)))
    make: Callable[[str], Executor]
