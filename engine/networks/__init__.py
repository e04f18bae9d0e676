"""Text2Mel and SSRN of the DC-TTS paper (arXiv 1710.08969)."""
