"""Trains and speaks a synthetic voice (DC-TTS); knows nothing of any screen."""
