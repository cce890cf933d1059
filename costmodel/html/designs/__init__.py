"""Pages about many designs."""
