"""Processors priced by operations and neuron updates alone."""
