"""Mappings as people read them: `costmodel map`."""
