"""Operators and workloads as `linalg` of MLIR, and back.

`to_linalg` and `to_mlir` write text, and need no other package. `from_linalg` and `from_mlir` read
it with xDSL, which `pip install 'costmodel-nn[mlir]'` brings.
"""

from costmodel.workload.linalg.function_writing import to_mlir
from costmodel.workload.linalg.functions import from_mlir
from costmodel.workload.linalg.reading import from_linalg
from costmodel.workload.linalg.writing import to_linalg

__all__ = ["from_linalg", "from_mlir", "to_linalg", "to_mlir"]
