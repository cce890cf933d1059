"""Networks: layers with their tensors, how they are read, and written as JSON."""
