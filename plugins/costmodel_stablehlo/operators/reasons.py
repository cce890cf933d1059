"""Why some operations have no price, or need none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from costmodel.frontend.translation import DataDependentError
from costmodel_stablehlo.operators.table import translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_stablehlo.nodes import ModuleNode

UNPRICED: Final[Mapping[str, str]] = {
    name: reason
    for reason, names in {
        "how many comparisons a sort takes depends on the data and the library": "sort chlo.top_k",
        "how many operations a Fourier transform takes is the plan of the library": "fft",
        "how many steps a factorisation takes is the library's choice": """
            cholesky triangular_solve""",
        "it draws random numbers, which each library makes in its own way": """
            rng rng_bit_generator""",
        "how many steps its series takes is the library's choice": """
            chlo.zeta chlo.polygamma chlo.broadcast_zeta chlo.broadcast_polygamma
            chlo.next_after chlo.broadcast_next_after chlo.mulhi chlo._asin_acos_kernel""",
        "it communicates between devices, which no operator counts": """
            all_gather all_reduce all_to_all collective_broadcast collective_permute
            collective_reduce
            reduce_scatter cross-replica-sum async_start async_done send recv infeed outfeed
            replica_id partition_id""",
        "it belongs to training": "batch_norm_training batch_norm_grad",
        "it passes tuples or tokens, of which no operator counts": """
            tuple get_tuple_element after_all create_token""",
        "an equation of one operand": "unary_einsum",
    }.items()
    for name in names.split()
}
"""The reason why an operation has no price, by its name."""

STRUCTURE: Final[Mapping[str, str]] = {
    "return": "ends a region", "func.return": "ends a function", "func.func": "is a function",
    "func.constant": "names a function", "func.call_indirect": "calls a function that data name",
}  # fmt: skip
"""Operations that are no node of a network."""


@translates(*UNPRICED)
def unpriced(node: ModuleNode) -> Sequence[Value]:
    """Nothing that is known.

    Raises:
        DataDependentError: always, with the reason.

    """
    raise DataDependentError(UNPRICED[node.operator])
