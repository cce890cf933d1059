"""The table that the modules of this package fill, and what they share."""

from __future__ import annotations

from typing import Final

from costmodel.frontend.translation import TranslationTable

ONNX: Final = TranslationTable("onnx")
"""The operators of ONNX; those of another domain stand behind its name: `com.microsoft::QGemm`."""
