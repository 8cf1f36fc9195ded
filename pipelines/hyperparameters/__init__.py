"""Searches the config's own keys for the best values: `tandem tune`."""
