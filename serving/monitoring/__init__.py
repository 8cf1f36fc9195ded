"""What a server tells of itself, and the Prometheus page made of it."""
