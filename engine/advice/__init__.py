"""What the figures of a voice say: which checkpoint is best, and whether it pays to go on."""
