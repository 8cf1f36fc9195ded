"""The parts that the towers are made of."""
