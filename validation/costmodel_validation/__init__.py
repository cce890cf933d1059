"""Published measurements, and the commands that fit devices to them and check them."""
