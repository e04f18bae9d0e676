"""English text as it is spoken, case by case."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from engine.text.english import spoken

READINGS = tomllib.loads(Path(__file__).with_name("readings.toml").read_text("utf-8"))
CASES = [case for table in READINGS.values() for case in table.items()]


@pytest.mark.parametrize(("written", "words"), [*CASES, ("\ud800a", "a")])
def test_reading(written: str, words: str) -> None:
    assert spoken(written) == words


def test_text_as_people_bring_it_is_read_right() -> None:
    lines = Path(__file__).with_name("read_aloud.tsv").read_text("utf-8").splitlines()
    cases = [line.split("\t") for line in lines if "\t" in line]
    read = {written: _letters(spoken(written)) for written, _ in cases}
    assert len(read) > 800
    assert not {
        written: read[written]
        for written, readings in cases
        if read[written] not in map(_letters, readings.split("|"))
    }


def _letters(text: str) -> str:
    """Words alone, as two readings are compared."""
    return " ".join(re.sub("[^a-z ]", " ", text.lower().replace("'", "")).split())


def test_text_that_is_words_already_stays() -> None:
    text = (
        "Printing, then, for our purpose, may be considered as the art of making books; by types."
    )
    assert spoken(text) == text


def test_transliteration_loads_only_for_texts_that_need_it() -> None:
    script = (
        "import sys; from engine.text.english import spoken; spoken('Mr. Fox, e.g., left (St. 5)')"
        "; sys.exit('anyascii' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
