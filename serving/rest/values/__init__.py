"""Between JSON and tensors, with TensorFlow Serving's rules and error texts."""
