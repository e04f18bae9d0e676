"""Nothing in the program turns data into code; ruff's rules S look for what is not here."""

import re

from paths import ROOT

FORBIDDEN = re.compile(
    r"\b(?:torch\.load|joblib|cloudpickle|dill|extractall|unpack_archive|allow_pickle=True)\b"
)


def test_no_source_can_run_what_it_reads():
    sources = [*(ROOT / "engine").rglob("*.py"), *(ROOT / "tui").rglob("*.py")]
    assert len(sources) > 100
    found = [path for path in sources if FORBIDDEN.search(path.read_text(encoding="utf-8"))]
    assert found == []
