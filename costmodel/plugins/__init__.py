"""Plugins: the hooks, how plugins are found, and what they require."""
