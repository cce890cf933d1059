"""The frontend of StableHLO modules and JAX functions."""
