"""Chips priced by Horowitz's table of operations and memory accesses."""
