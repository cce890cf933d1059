"""Tensors: shapes without the batch axis, and sizes that may be symbols or many at once."""
