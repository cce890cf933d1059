"""Energies and areas of memories and arithmetic from tables with sources, and drafts of files."""
