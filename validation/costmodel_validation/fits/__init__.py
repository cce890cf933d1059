"""Fits to measurements, and how well they predict what they have not seen."""
