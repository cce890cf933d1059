"""Hardware-neutral work: operators with index maps, and the builders that make them."""
