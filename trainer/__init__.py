"""The TensorFlow Recommenders two-tower model: training, checkpoints and export."""

import os

# TensorFlow Recommenders needs Keras 2, and TensorFlow reads this once, on import.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
