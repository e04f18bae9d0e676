"""Checkpoints: saved, verified, loaded, pruned."""
