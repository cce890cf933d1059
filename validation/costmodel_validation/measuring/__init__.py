"""Measurements of networks where the command runs."""
