"""What TensorFlow Serving's methods answer, whichever protocol asks."""
