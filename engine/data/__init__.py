"""A corpus on its way to batches: metadata, recordings, features."""
