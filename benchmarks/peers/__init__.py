"""Peers that need packages of the extra `bench`, or minutes of training."""
