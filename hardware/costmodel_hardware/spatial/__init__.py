"""Spatial accelerators: how a systolic array spends cycles and words, by the rules of a peer."""
