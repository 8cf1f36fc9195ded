"""Runs: steps that are done once for the same inputs, config and code, and what is known about them."""
