"""An example of a plugin of costmodel that uses every hook; hooks.py says what it offers."""
