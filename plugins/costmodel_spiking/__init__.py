"""KerasSpiking's layers, its counting convention, and a drop-in for its ModelEnergy."""
