"""TensorFlow Serving's RESTful API: JSON over HTTP, translated to and from the functions of `inference`."""
