"""The operator of ONNX files that this plugin translates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.frontend.translation import Translation

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import SourceNode


def swish_gate(node: SourceNode) -> Value:
    """The second operand, let through by a sigmoid of the first."""
    gate = node.add("activation", node.input(0), function="sigmoid")
    return node.add("elementwise", gate, node.input(1), function="multiply")


SWISH_GATE = Translation("onnx", "com.acme::SwishGate", swish_gate)
