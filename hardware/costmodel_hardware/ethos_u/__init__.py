"""Arm Ethos-U55 and Ethos-U65: arrays that work on blocks of the output."""
