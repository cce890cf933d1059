"""The frontend of NIR files."""
