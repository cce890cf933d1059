"""The frontend of PyTorch modules and exported programs."""
