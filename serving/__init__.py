"""TensorFlow Serving's protocol: the server, and the client that calls it."""
