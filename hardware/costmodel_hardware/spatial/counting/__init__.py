"""Words, energy and cycles of a mapping, under the default accounting."""
