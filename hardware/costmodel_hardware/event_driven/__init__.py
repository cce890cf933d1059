"""Event-driven chips, priced by synaptic operations and neuron updates."""
