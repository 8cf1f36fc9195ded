"""Models in memory: which versions are found, loaded, warmed up, labelled and let go."""
