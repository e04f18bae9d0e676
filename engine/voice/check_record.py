"""`check.json`: what the check of the corpus found before training, and of what corpus."""

import json
from dataclasses import asdict, dataclass, replace

from engine.check.report import CheckReport
from engine.data.clips import ClipShape
from engine.errors import InputError
from engine.files import read_plain, write_whole
from engine.serialization import from_json
from engine.voice.folder import Voice

# More than the report of any corpus has; a file that is longer is none.
_MAX_BYTES = 2**26


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """The check of a corpus, so that a run that resumes need not check again."""

    key: str
    """`corpus_key` of the corpus when it was checked."""
    report: CheckReport
    accepted: bool
    """Whether there was nothing to ask, or the answer was to train."""
    shapes: tuple[ClipShape, ...] = ()
    """Of the clips that training uses, to estimate what that takes."""
    left_out: tuple[str, ...] = ()
    """Ids of the clips that the person had left out."""


def load_record(voice: Voice, key: str) -> CheckRecord | None:
    """Return the record of a corpus; None where there is none, or a damaged one, of this key."""
    try:
        raw = read_plain(voice.check_record, _MAX_BYTES)
        record = from_json(raw, CheckRecord, voice.check_record)
    except (OSError, InputError):
        return None
    if record.key != key:
        return None
    # A corpus that moved along with its voice is named by the place where it is.
    return replace(record, report=replace(record.report, dataset=str(voice.dataset)))


def save_record(voice: Voice, record: CheckRecord) -> None:
    """Write a record in place of the one before, or raise `EngineError`."""
    content = {**asdict(record), "report": record.report.as_json()}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    voice.locate()
    write_whole(voice.check_record, text.encode(errors="backslashreplace"), make_folders=False)
