"""Files of Keras models: archives and HDF5."""
