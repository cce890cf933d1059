"""Sweeps: the cost of many designs of a network and a chip, in columns."""
