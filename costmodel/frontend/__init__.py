"""Frontends: what readers of graphs share, from the nodes of a source to layers of a network.

A reader translates each node of its source into operations of a `Graph`, by a table. All
frontends share the operations, the folding of constants, the normalisation and the lowering, so
that the same network costs the same from each of them.
"""
