"""A device class with a table by numeric format and with runtimes, and a file of it."""

from __future__ import annotations

from typing import Any, ClassVar

from attrs import frozen

from costmodel import Device
from costmodel.devicefile import load_device
from costmodel.devices import (
    Charge,
    Cost,
    Factor,
    FormatTable,
    Parameter,
    handles,
    one_of,
    parameter,
    setting,
)
from costmodel.workload.operators import Contraction

GOOD = """\
schema: costmodel/device/2
name: npu
class: rated
sources:
  sheet: "Acme, data sheet"
  bench: "A benchmark"
parameters:
  energy: {value: 1 pJ, source: sheet, evidence: vendor}
  peak_rate:
    int8: {value: 4 TOP/s, low: 3 TOP/s, high: 4 TOP/s, source: sheet, evidence: vendor}
    float16: {value: 2 TFLOP/s, source: sheet, evidence: vendor, note: "with sparsity: twice"}
"""
EFFICIENCY = "efficiency: {value: 80 %, source: bench, evidence: measured}"
RUNTIMES = f"""\
runtimes:
  default: tflite
  tflite:
    parameters: {{{EFFICIENCY}}}
    settings: {{layout: nhwc}}
    residuals: [{{low: 0.8, high: 150 %, source: bench, evidence: measured}}]
  onnx:
    parameters: {{efficiency: {{value: 0.5, source: bench, evidence: measured}}}}
"""
WITH_RUNTIMES = GOOD + RUNTIMES


@frozen
class Rated(Device):
    """Takes as long as the peak rate of a format and the efficiency of a runtime say."""

    family: ClassVar = "rated"
    ignores: ClassVar = ("timesteps", "dt", "rates")
    resources: ClassVar = ("array",)

    energy: Parameter = parameter("J")
    peak_rate: FormatTable = parameter("OP/s", by_format=True, positive=True)
    cost_per_area: FormatTable | None = parameter("J/m2", by_format=True, optional=True)
    efficiency: Parameter | None = parameter("", optional=True, positive=True)
    layout: str = setting(one_of("nchw", "nhwc"), default="nchw")

    @handles(Contraction)
    def contraction(self, operator: Any, scenario: Any) -> Any:
        number = operator.inputs[0].format or scenario.default_format
        rate = self.peak_rate.get(number)
        if rate is None:
            return self.peak_rate.unpriced(number)
        share = 1.0 if self.efficiency is None else self.efficiency.value
        macs = operator.macs * scenario.batch
        charge = Charge("array", "compute", (Factor("macs", macs),), self.energy)
        return Cost([charge], latency_seconds=2 * macs / rate.value / share)


@frozen
class Efficient(Rated):
    """The same, whose file or runtime must give the efficiency."""

    family: ClassVar = "efficient"

    efficiency: Parameter = parameter("", positive=True)


FAMILIES = {"rated": Rated, "efficient": Efficient}


def load(text: str = GOOD) -> Any:
    return load_device(text.encode(), "npu.yaml", FAMILIES)
