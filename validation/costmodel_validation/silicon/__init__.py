"""Chips with an array of units against what was measured on them."""
