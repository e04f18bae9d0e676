"""What is wrong with recordings and transcripts."""
