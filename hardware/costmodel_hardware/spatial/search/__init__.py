"""Mappings found: spatial factors, and chains of tiles of least energy or latency."""
