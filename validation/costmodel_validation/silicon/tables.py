"""The section of the page about accuracy that shows chips with an array of units."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from costmodel.units import format_quantity
from costmodel_validation.silicon import eyeriss, tpu

if TYPE_CHECKING:
    from costmodel.registry import Registry
    from costmodel_validation.silicon.eyeriss import Layer

HEAD: Final = """
## Chips with an array of units

Devices of class `spatial` are not fitted: what they predict follows from the array, the memories and a mapping. Two chips were measured layer
by layer or application by application.

### Eyeriss v1, AlexNet, batch 4

With the mapping that its paper gives (`validation/costmodel_validation/silicon/eyeriss-mappings.json`). Time is that of processing, without the
time that traffic to DRAM adds on the chip; no layer here waits for the DRAM of the device. Energy is that of the chip without DRAM, which is measured
power times processing time.
"""
COLUMNS: Final = """
| layer | time | predicted | | energy | predicted | | zeros | predicted, zeros gated | | buffer | predicted | | DRAM | predicted | |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
"""
AFTER_ALEXNET: Final = """
What the figures say:

- **Time.** The array of the chip runs at 83 to 96 % of its units in use. The model has all of them at work, and adds the waits for filters and
  inputs that have no second place in a scratchpad.
- **Energy of conv1 and conv2 together: {both}** against the chip. It rests on the energy of one multiply-accumulate, 2 pJ, to which the
  paper's ratios tie all others. Two sources have 2 pJ; scaled to the chip's 1.0 V the components have 1.6 pJ, which makes {low}; an Aladdin
  circuit has 4.7 pJ. This was chosen with the measured energies known: read the error as one of a figure within its range, not as a prediction.
- **Zeros.** The chip gates its multiplier where an input is zero; the model is dense, so it is too high from conv3 on. Without the
  multiplications and the filter reads of zeros, which are taken as gated, too, it is too low in all layers, as it leaves out the clock network, control, and links between units.
- **Buffer**: inputs that it reads, sums that it reads and writes, as the paper counts. conv3 does not agree: with its published mapping, sums go
  to the buffer and back 64 times; the measured traffic is that of about 46 times.
- **DRAM** traffic of the chip is run-length compressed, that of the model is not.

### Eyeriss v1, VGG-16, batch 3

Its mapping was not at hand. The model has the row-stationary mapping of least energy, and so shows what the array could do, not what the
chip did: in the first seven layers it took 1.2 to 4.3 times as long, in conv4 three fifths.
"""
TPU: Final = """
### TPU v1

Operations in a second. *Roofline* is that of the device's figures, 91.8 TOP/s and 34 GB/s for weights, at the stated operations per byte of weights. Shapes of layers
were never published: *on layers* is the device on square layers, as many as stated with as many weights together (convolutions of 3 x 3 on as many
positions as the intensity and the batch make), one batch alone.

| application | measured | roofline | | on layers | |
|---|---:|---:|---:|---:|---:|
"""
AFTER_TPU: Final = """
- LSTM1 and CNN1 are above by far. The paper's counters say why: of the cycles in which LSTM1's array is active, 10.5 %, only 6.3 of 10.5 are useful, since its
  matrices do not fill tiles of 256 x 256. CNN1 has layers with few channels, which use 22.5 of 46.2 %, and dense layers that wait for weights 28 %
  of the time. A roofline knows neither, and square layers have neither.
- CNN0 on square layers has 236 channels, which fill 85 % of the array, and loads the weights of a layer after the layer before it, as the mapping of
  least energy has it; with `objective=latency` it is 25 % below the chip.
- MLPs and LSTM0 wait for weights. The chip also spends 13 to 16 % of its cycles on shifting weights into the array, which the model overlaps.
"""


def section(registry: Registry) -> str:
    """Tables of all layers and applications, in Markdown."""
    alexnet = eyeriss.layers("alexnet", registry)
    both = [one for one in alexnet if one.name in {"conv1", "conv2"}]
    measured = math.fsum(one.energy for one in both)
    predicted = math.fsum(one.predicted_energy for one in both)
    low = registry.device(eyeriss.DEVICE).parameters["energy_per_mac.int16"]
    after = AFTER_ALEXNET.format(
        both=_error(predicted, measured),
        low=_error(predicted * low.low / low.value, measured),
    )
    return "".join([
        HEAD, COLUMNS, *map(_layer, alexnet), after,
        COLUMNS, *map(_layer, eyeriss.layers("vgg16", registry)), TPU, *_applications(registry),
        AFTER_TPU,
    ])  # fmt: skip


def _error(predicted: float, measured: float) -> str:
    return f"{predicted / measured - 1:+.0%}"


def _layer(one: Layer) -> str:
    def pair(measured: float, predicted: float, unit: str) -> list[str]:
        shown = [format_quantity(value, unit) for value in (measured, predicted)]
        return [*shown, _error(predicted, measured)]

    cells = [
        one.name, *pair(one.processing, one.predicted_processing, "s"),
        *pair(one.energy, one.predicted_energy, "J"), f"{one.zeros:.0%}",
        *pair(one.energy, one.gated_energy, "J")[1:], *pair(one.buffer, one.predicted_buffer, "B"),
        *pair(one.dram, one.predicted_dram, "B"),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def _applications(registry: Registry) -> Iterable[str]:
    for one in tpu.applications(registry):
        shown = [f"{one.achieved / 1e12:.1f} TOP/s"]
        for value in (one.roofline, one.on_layers):
            shown += [f"{value / 1e12:.1f} TOP/s", _error(value, one.achieved)]
        yield f"| {one.name.upper()} | {' | '.join(shown)} |\n"
