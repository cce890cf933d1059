"""Budgets: what a network may cost, and whether it does."""
