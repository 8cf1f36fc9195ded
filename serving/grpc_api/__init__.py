"""TensorFlow Serving's gRPC services over the functions of `serving.inference`."""
