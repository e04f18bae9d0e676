"""The front doors of everything but training: one file a command."""
