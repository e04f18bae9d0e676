"""What a run shows, what it can be told, and when it stops."""
