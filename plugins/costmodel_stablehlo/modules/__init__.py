"""Modules: parsed by MLIR in a process of its own, and told as values."""
