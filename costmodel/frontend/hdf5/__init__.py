"""HDF5 files, which a child process reads within bounds."""
