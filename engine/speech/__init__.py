"""From text to mel, magnitude and waveform; samples of a voice in training."""
