"""No file makes a reader take more than a gigabyte of memory or 90 s of processor time."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("hostile.py")
HOSTILE = runpy.run_path(str(PROGRAM))["HOSTILE"]

MOST_SECONDS = 90
"""Of processor time, on a slow machine whose cores are shared; most files take 1 to 5 s there."""

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the system does not tell the most memory"
)


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_takes_a_gigabyte_or_minutes_or_a_page_to_refuse(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, tmp_path, name], capture_output=True, check=True, timeout=600
    )
    seconds, size, message = json.loads(done.stdout)
    assert seconds < MOST_SECONDS
    assert size < 2**30
    assert len(message) < 20_000
