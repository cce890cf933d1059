"""What ZigZag 3.9.1 counts for a mapping, the best mappings by that count, and its files."""
