"""Functions of keras.ops whose work no rule can count, by their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from costmodel.network.layer import Layer
from costmodel.tensor.shapes import Shape
from costmodel_keras.layers.operations import sorting
from costmodel_keras.layers.operations.operation import kind
from costmodel_keras.layers.unsupported import UnsupportedBase, mixing

REASONS: Final[Mapping[str, str]] = {
    kind(name): reason
    for reason, names in {
        "how often a matrix algorithm runs through its loops is the library's choice": """
            Cholesky CholeskyInverse Det Eig Eigh Inv Logdet Lstsq LuFactor MatrixRank Pinv Qr SVD
            Slogdet Solve SolveTriangular""",
        "how many operations a Fourier transform takes is the plan of the library": """
            FFT FFT2 IFFT2 IRFFT ISTFT RFFT STFT""",
        sorting.REASON: """
            Median Nanmedian Nanpercentile Nanquantile Percentile Quantile Unique""",
        "it runs a function of the program, which is not looked into": """
            AssociativeScan Cond ForiLoop Function JVP Map Scan Switch VectorizedMap WhileLoop""",
        "how many elements it gives depends on the data": "Bincount Nonzero",
        "how often it divides depends on the data": "Gcd Lcm",
        "the steps of a decoder depend on the data": "CTCDecode",
        "a loss belongs to training": """
            BinaryCrossentropy CTCLoss CategoricalCrossentropy SparseCategoricalCrossentropy""",
        "a measure of images belongs to their evaluation": "PSNR SSIM",
        "complex numbers have no numeric format here": """
            Angle Conj Conjugate Imag Isreal Polar Real ViewAsComplex ViewAsReal""",
        "its shape depends on the widths of element types": "View",
        "it interpolates at places that it computes from data": """
            AffineTransform ElasticTransform MapCoordinates PerspectiveTransform
            ScaleAndTranslate""",
        "which branch a colour takes depends on the data": "HSVToRGB RGBToHSV",
        "a base class: it computes nothing itself": "Operation",
    }.items()
    for name in names.split()
}
"""Why a function of this kind stays unpriced."""


_BATCHLESS = """
    AllClose Arange Corrcoef Correlate Diag Diagflat Full Geomspace Histogram Linspace Logspace
    Meshgrid Ndim Outer Scatter SegmentMax SegmentMin SegmentProd SegmentReduction SegmentSum
    Size UnravelIndex Vander Vdot
"""
BATCHLESS: Final = tuple(map(kind, _BATCHLESS.split()))  # a table
"""Functions whose results have no batch axis, whatever they are called on."""

_BATCHLESS_REASON: Final = "its result has no batch axis"


class BatchlessOperation(UnsupportedBase):
    """A function that mixes examples, or makes a tensor without them: unpriced."""

    kinds: ClassVar = BATCHLESS
    reasons: ClassVar = dict.fromkeys(BATCHLESS, mixing(_BATCHLESS_REASON).reason)

    rows = Layer.rows  # a batch on another axis may stay, so it is refused with that reason

    def output_shapes(self) -> Sequence[Shape]:
        """None of one example."""
        raise mixing(_BATCHLESS_REASON)


class UnsupportedOperation(UnsupportedBase):
    """A function whose work does not follow from its settings: unpriced, with the reason."""

    kinds: ClassVar = tuple(REASONS)
    reasons: ClassVar = REASONS
