"""Operators as `linalg.generic` of MLIR, and back.

`to_linalg` writes text, and needs no other package. `from_linalg` reads it with xDSL, which
`pip install 'costmodel-nn[mlir]'` brings.
"""

from costmodel.workload.linalg.reading import from_linalg
from costmodel.workload.linalg.writing import to_linalg

__all__ = ["from_linalg", "to_linalg"]
