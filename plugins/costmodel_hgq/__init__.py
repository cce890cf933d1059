"""The layers of HGQ2: a width for each weight and each channel, as training left it."""
