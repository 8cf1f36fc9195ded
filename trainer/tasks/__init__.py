"""The objectives that are learned jointly."""
