"""How good a voice is."""
