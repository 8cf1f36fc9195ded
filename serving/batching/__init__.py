"""Dynamic batching: requests that come at the same time run as one, by TensorFlow Serving's parameters."""
