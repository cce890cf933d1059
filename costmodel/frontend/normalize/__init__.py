"""Normalisation: what frontends write in many ways becomes the same operations."""
