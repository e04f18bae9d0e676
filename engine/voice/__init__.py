"""The voice folder."""
