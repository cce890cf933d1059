"""Write `docs/accuracy.md` from the measurements and the devices that ship.

python validation/write_accuracy.py
"""

from __future__ import annotations

from pathlib import Path

from costmodel import registry
from costmodel_validation.accuracy import page

if __name__ == "__main__":
    text = page(registry.installed())
    (Path(__file__).parents[1] / "docs" / "accuracy.md").write_text(text, encoding="utf-8")
