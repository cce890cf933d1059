"""Counting conventions, and how a network is lowered to a workload by their rules."""
