"""Estimates of a network on several devices, comparisons and counts."""
