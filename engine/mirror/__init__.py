"""A voice's second home: its checkpoints copied to a bucket or a folder, and fetched from there."""
