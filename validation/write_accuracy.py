"""Write `docs/accuracy.md` and `docs/devices.md` from the measurements and the devices that ship.

Also the mappings of Eyeriss, from the parameters that its paper gives.

It takes minutes with the figures of what was left out before. After new measurements, or another
fit, `--left-out` finds these again, which takes more than an hour.

python validation/write_accuracy.py
python validation/write_accuracy.py --left-out
"""

from __future__ import annotations

import sys
from pathlib import Path

from costmodel import registry
from costmodel_validation.accuracy import (
    LEFT_OUT_TABLE,
    PREDICTED_TABLE,
    devices_page,
    left_out_table,
    page,
    predicted_table,
)
from costmodel_validation.checking import one_of_each, predictions
from costmodel_validation.fits.floors import TABLE, floors, floors_table
from costmodel_validation.fits.leaving_out import PARTS, left_out_summaries
from costmodel_validation.measurements import shipped_measurements
from costmodel_validation.silicon.eyeriss import MAPPINGS, mappings_text

HERE = Path(__file__).parent

if __name__ == "__main__":
    devices = registry.installed()
    if "--left-out" in sys.argv[1:]:
        rows = shipped_measurements()
        found = [(part, one) for part in PARTS for one in left_out_summaries(rows, devices, part)]
        table = HERE / "costmodel_validation" / LEFT_OUT_TABLE
        table.write_text(left_out_table(found), encoding="utf-8")
        yardsticks = floors_table(floors(rows, devices))
        (table.parent / TABLE).write_text(yardsticks, encoding="utf-8")
    mappings = HERE / "costmodel_validation" / "silicon" / MAPPINGS
    mappings.write_text(mappings_text(devices), encoding="utf-8")
    predicted = predictions(one_of_each(shipped_measurements()), devices)
    table = HERE / "costmodel_validation" / PREDICTED_TABLE
    table.write_text(predicted_table(predicted), encoding="utf-8")
    docs = HERE.parent / "docs"
    (docs / "devices.md").write_text(devices_page(devices), encoding="utf-8")
    (docs / "accuracy.md").write_text(page(devices), encoding="utf-8")
