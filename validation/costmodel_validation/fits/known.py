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
BANDWIDTHS: Final = {"contraction_bandwidth_efficiency": 0.8, "bandwidth_efficiency": 0.7}
"""Assumed where one network alone was measured: what streaming kernels usually reach."""
CACHED: Final = {"contraction_bandwidth_efficiency": 1.5, "bandwidth_efficiency": 1.5}
"""Assumed of TensorRT, which fuses more than this model and keeps tensors in the last cache."""
KNOWN: Final[Mapping[str, Mapping[str, float]]] = {
    "tensorrt": {**CACHED, "overhead_per_call": 2e-5},
    "tensorrt-maxq": {**CACHED, "overhead_per_call": 2e-5},
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
"""Figures that are not fitted, by runtime."""
