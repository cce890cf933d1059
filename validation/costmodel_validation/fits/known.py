"""Figures of runtimes that measurements do not determine, with what they stand on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LAUNCH: Final = {"overhead_per_operator": 17.839e-3 / 583}
"""Seconds of an operator of PyTorch in eager mode that waits for its launch.

github.com/pytorch/pytorch/issues/82793: EfficientNet-B5 at batch 1 on an A100, 17.839 ms by its
benchmark, about 583 operators of the first level, bound by dispatch. Large batches say nothing
about it: work hides launches.
"""
KERNELS: Final = {"overhead_per_operator": 9.1e-6, "overhead_per_call": 33e-6}
"""Seconds of a kernel of compiled PyTorch on a GPU that waits for its launch, and of a call.

github.com/meta-pytorch/tritonbench/pull/1017, measured on a GB200: a kernel with 19 arguments takes
9.1 us, one without 6.8; the whole call of a graph with one kernel 33 us.
"""
BANDWIDTHS: Final = {"contraction_bandwidth_efficiency": 0.8, "bandwidth_efficiency": 0.7}
"""Assumed where one network alone was measured: what streaming kernels usually reach."""
_KNOWN: Final[Mapping[str, Mapping[str, float]]] = {
    "pytorch-eager": LAUNCH,
    "pytorch-eager-nchw": LAUNCH,
    "tensorflow": BANDWIDTHS,
    "openvino": {**BANDWIDTHS, "overhead_per_operator": 1e-4, "efficiency": 0.3},
    "nntool": {
        "contraction_bandwidth_efficiency": 1.0, "bandwidth_efficiency": 1.0,
        "overhead_per_call": 1e-5,
    },
    "syntiant": {
        "contraction_bandwidth_efficiency": 1.0, "bandwidth_efficiency": 1.0,
        "overhead_per_call": 1e-5,
    },
}  # fmt: skip


def known_figures(runtime: str, *, is_asynchronous: bool) -> Mapping[str, float]:
    """What is not fitted of a runtime, which launches operators while others run or does not."""
    if runtime == "pytorch-compiled" and is_asynchronous:
        return KERNELS
    return _KNOWN.get(runtime, {})


STEP_ON_GPUS: Final = {"value": "8.7 us", "low": "1 us", "high": "11 us"}
"""cuDNN's own loop over steps, two kernels each.

github.com/baidu-research/DeepBench 106e523, README.md: an LSTM of 256 units, batch 4 and 150 steps
takes 1.63 ms on a GTX 1080 Ti, 10.9 us for a step, of which its 1.05 MB of weights take 2.2 us at
484 GB/s. Kernels that stay on the chip for all steps take less: 1 us is assumed.
"""
_CPU_STEP: Final = {"value": "0.7 us", "low": "0.3 us", "high": "3 us"}
"""Measured for this project on one core of an AMD EPYC, an LSTM of 8 units over 200 steps: 0.71 us
for a step of PyTorch 2.13.0, 0.61 us of TensorFlow Lite 2.21. Cores of phones take longer.
"""
OVERHEAD_PER_STEP: Final[Mapping[str, Mapping[str, str]]] = {
    "pytorch-eager": STEP_ON_GPUS,
    "pytorch-eager-nchw": STEP_ON_GPUS,
    "tensorrt": STEP_ON_GPUS,
    "tensorrt-maxq": STEP_ON_GPUS,
    "tensorrt-dla": STEP_ON_GPUS,
    "tensorrt-dla-maxq": STEP_ON_GPUS,
    "pytorch-compiled": _CPU_STEP,
    "tflite": _CPU_STEP,
}
"""That of a recurrent layer, by the runtimes that have one operator for all of its steps."""
