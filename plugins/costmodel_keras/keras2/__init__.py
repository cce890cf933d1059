"""Keras 2: its configurations, its live models and TensorFlow's functions in its graphs."""
