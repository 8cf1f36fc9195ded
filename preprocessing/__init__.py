"""Apache Beam preprocessing: raw tables to TFRecords, vocabularies and one schema."""

import os

# TensorFlow Recommenders needs Keras 2, and TensorFlow reads this once, on import.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
