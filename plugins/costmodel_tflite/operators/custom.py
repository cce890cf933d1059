"""Custom operators: what TensorFlow's detection models and TFLite Micro's audio front end use.

Others stay named and unpriced: what a custom operator computes, its file does not say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costmodel.frontend.translation import DataDependentError
from costmodel_tflite.table import leave_unpriced, rearranged, stated_shape, translates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.subgraphs import TfliteNode

MOST_BOXES: Final = 1_000_000
"""Of one image."""


@translates("CUSTOM:TFLite_Detection_PostProcess")
def detections(node: TfliteNode) -> Sequence[Value]:
    """The best boxes of an image: boxes, classes, scores and their number.

    Where the file does not declare their shapes, an option states how many boxes there are.
    """
    reason = "how many boxes are compared depends on the data"
    if all(shape is not None for shape in node.shapes) and node.shapes:
        raise DataDependentError(reason)
    options = flexible_options(node.entry.custom_options)
    count = options.get("max_detections", 0) * options.get("max_classes_per_detection", 1)
    if not 0 < count <= MOST_BOXES:
        raise DataDependentError(reason)
    shapes = [(1, count, 4), (1, count), (1, count), (1,)][: node.results]
    return node.graph.all_of("unsupported", *node.present, reason=reason, shapes=shapes)


def flexible_options(content: bytes) -> Mapping[str, Any]:
    """The numbers by name in a FlexBuffer, in which TensorFlow keeps options; none if damaged."""
    import struct  # noqa: PLC0415  # only for custom operators

    from flatbuffers import flexbuffers  # noqa: PLC0415  # likewise

    try:
        root = flexbuffers.GetRoot(content)
        if not root.IsMap or len(root.AsMap.Keys) > _MOST_OPTIONS:
            return {}
        found = {}
        for key, value in zip(root.AsMap.Keys, root.AsMap.Values, strict=True):
            if value.IsInt:
                found[key.AsKey] = value.AsInt
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error):
        return {}
    return found


_MOST_OPTIONS: Final = 1000

CURVES: Final[Mapping[str, str]] = {
    "CUSTOM:SignalFilterBankLog": "log", "CUSTOM:SignalFilterBankSquareRoot": "sqrt",
}  # fmt: skip
"""The function of each element."""


@translates(*CURVES)
def curve(node: TfliteNode) -> Value:
    """A function of every band of a spectrum."""
    return node.add("activation", node.input(), function=CURVES[node.operator])


@translates("CUSTOM:SignalWindow")
def window(node: TfliteNode) -> Value:
    """Samples times those of a window."""
    return node.add("elementwise", node.input(0), node.input(1), function="multiply")


@translates("CUSTOM:SignalEnergy")
def energy(node: TfliteNode) -> Value:
    """The sum of the squares of both parts of each complex number."""
    value, shape = node.input(), stated_shape(node, "an option")
    count = value.size // 2
    pairs = node.add("reshape", value, shape=(count, 2))
    squares = node.add("elementwise", pairs, pairs, function="multiply")
    total = node.add("reduce", squares, function="sum", axes=[1])
    wanted = 1
    for length in shape:
        wanted *= length
    if wanted == count:
        return node.add("reshape", total, shape=shape)
    return rearranged(node, "selection", shape, total)


@translates("CUSTOM:SignalDelay", "CUSTOM:SignalFramer", "CUSTOM:SignalStacker")
def stream(node: TfliteNode) -> Sequence[Value]:
    """Samples that are kept for later, and those of before that are given."""
    return [
        rearranged(node, "state", stated_shape(node, "an option", place), node.input())
        for place in range(node.results)
    ]


leave_unpriced({
    "which elements are added where, its options state in a form that is not public": """
        CUSTOM:SignalOverlapAdd""",
    "how wide its bands are, a table states whose form is the library's": """
        CUSTOM:SignalFilterBank""",
    "its steps in fixed point are the library's choice": """
        CUSTOM:SignalFftAutoScale CUSTOM:SignalFilterBankSpectralSubtraction
        CUSTOM:SignalPCAN""",
})  # fmt: skip
