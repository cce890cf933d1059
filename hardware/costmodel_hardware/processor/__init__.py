"""Processors: a roofline with overheads."""
