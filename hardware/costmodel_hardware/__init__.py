"""Devices: families of hardware, each a formula with its figures in YAML files beside it."""
