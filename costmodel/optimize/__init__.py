"""The best of many designs: Pareto fronts, integer programmes and search."""
