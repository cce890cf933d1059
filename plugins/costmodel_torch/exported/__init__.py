"""Exported programs as plain values, out of files and live objects."""
