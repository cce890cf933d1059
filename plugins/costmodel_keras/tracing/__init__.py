"""Layers without a graph of their own, opened by a call on symbolic tensors."""
