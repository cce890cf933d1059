"""Write `validation/ethos_u.csv`: every case in which an Ethos-U is compared with Arm's compiler.

python validation/write_ethos_u.py

It prints the tables of `docs/hardware.md`, which a test compares with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from costmodel_validation.ethos_u import parts, tables, text_of

HERE = Path(__file__).parent

if __name__ == "__main__":
    found = parts(HERE.parent / "tests" / "golden")
    (HERE / "ethos_u.csv").write_text(text_of(found), encoding="utf-8")
    sys.stdout.write(tables(found) + "\n")
