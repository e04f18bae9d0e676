"""Reads TensorFlow's checkpoint files as they are documented, without TensorFlow."""
