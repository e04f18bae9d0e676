"""Ways to make a sample audible."""
