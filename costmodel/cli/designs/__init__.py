"""The commands about many designs."""
