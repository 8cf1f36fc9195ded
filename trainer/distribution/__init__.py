"""Training on several devices or machines that do each step together."""
