"""What is heard: from text to mel, magnitude and waveform, and measures of it."""
