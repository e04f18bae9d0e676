"""Where tests find the repository's own files."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests" / "fixtures"
SPEECH = FIXTURES / "ljspeech-3"
"""Three clips of real speech."""
EARLIER_VOICE = FIXTURES / "voice-0.1"
"""A small voice as version 0.1 wrote it, of SPEECH: Text2Mel at step 130, SSRN at 52."""
BBC_REFERENCE = FIXTURES / "bbc-reference"
DEMO_VOICE = ROOT / "assets" / "demo" / "voice"
SLT = FIXTURES / "slt-12"
"""Twelve clips by the speaker of DEMO_VOICE, which it was not trained on (flite -voice slt)."""
DEMO_CORPUS = ROOT / "assets" / "demo" / "corpus"
