"""What each step of a run does, one module a step."""
