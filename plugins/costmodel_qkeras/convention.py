"""Stub."""
from costmodel.convention import Convention
CONVENTION = Convention("qtools","t")
