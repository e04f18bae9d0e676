"""`samples/`: the sounds that a voice was heard in, and the list of them."""

import logging
import re
import sys
import unicodedata
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.choices import NetworkName
from engine.errors import InputError
from engine.files import append_line, read_plain, write_whole
from engine.run.sample import Sample
from engine.serialization import from_json_lines, from_plain, to_json
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

_LIST = "samples.jsonl"
_MAX_BYTES = 2**26
# From this size on the list is worth writing anew.
_COMPACT_BYTES = 2**20
# Of a sentence in a file name. Encrypted home folders allow 143 bytes for a whole name.
_MAX_CHARACTERS, _MAX_NAME_BYTES = 40, 80
# Letters and marks that show nothing: joiners, fillers, variation selectors.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def append_sample(voice: Voice, sample: Sample) -> None:
    """Note a sample in `samples/samples.jsonl`, so that later runs list it, or list it changed.

    Raises `EngineError` when the file cannot be written.
    """
    append_line(voice.samples / _LIST, _line(sample))


def _line(sample: Sample) -> str:
    """A line of the list; files are named without their folder."""
    fields = asdict(sample)
    fields["file"] = fields.pop("path").name
    fields["original"] = sample.original and sample.original.name
    fields |= {name: round(fields[name], 3) for name in ("seconds", "time")}
    return to_json(fields).decode()


def read_samples(voice: Voice) -> list[Sample]:
    """The samples of earlier runs whose files are still there, oldest first."""
    try:
        content = read_plain(voice.samples / _LIST, _MAX_BYTES)
    except FileNotFoundError:
        return []
    except OSError as error:
        _log.warning("the samples of earlier runs are not listed: %s", error)
        return []
    found: dict[str, Sample] = {}
    for line in from_json_lines(content, dict[str, Any]):
        try:
            sample = _sample(voice, line or {})
        except InputError:
            continue  # cut off by the end of a process
        name = sample.path.name
        if name in found and found[name].time != sample.time:
            del found[name]  # thinned, and its name used again
        found[name] = sample
    # Only sounds: what is listed may be removed, as the series is thinned.
    return [one for one in found.values() if one.path.suffix == ".wav" and one.path.is_file()]


def _sample(voice: Voice, line: dict[str, Any]) -> Sample:
    # Names alone: a list from elsewhere must not lead out of the folder.
    path, original = (
        name and str(voice.samples / Path(str(name)).name)
        for name in (line.get("file"), line.get("original"))
    )
    return from_plain({**line, "path": path, "original": original}, Sample, "line")


def compact_list(voice: Voice) -> None:
    """Write the list anew without files that are gone, where it has become long.

    Raises `EngineError` when the file cannot be written.
    """
    path = voice.samples / _LIST
    try:
        if path.stat().st_size < _COMPACT_BYTES:
            return
    except OSError:
        return  # nothing is listed yet
    lines = "".join(_line(sample) + "\n" for sample in read_samples(voice))
    write_whole(path, lines.encode(), make_folders=False)


def newest_samples(voice: Voice) -> dict[NetworkName, str]:
    """The file name of each network's newest sample, whose steps it names."""
    return {sample.network: sample.path.name for sample in read_samples(voice)}


def sample_name(step: int, ssrn_step: int | None, sentence: str) -> str:
    """The file name of a sample: both networks' steps and the sentence."""
    ssrn = f"_ssrn-{ssrn_step}" if ssrn_step is not None else "_no-ssrn"
    return f"text2mel-{step}{ssrn}_{slug(sentence)}.wav"


def slug(text: str) -> str:
    """A few words of a text, in any script, as part of a file name that every file system takes."""
    lower = unicodedata.normalize("NFC", text.lower())
    words = "-".join("".join(map(_in_name, lower)).split())
    # A locale of before UTF-8 cannot name all letters.
    encoded = words[:_MAX_CHARACTERS].encode(encoding := sys.getfilesystemencoding(), "ignore")
    return encoded[:_MAX_NAME_BYTES].decode(encoding, "ignore").strip("-") or "sample"


def _in_name(character: str) -> str:
    """A letter, an accent, a vowel sign or a digit as it is; anything else parts words."""
    category = unicodedata.category(character)
    if category == "Cf" or _IGNORABLE.match(character):
        return ""
    return character if category[0] in "LMN" else " "


def unused_path(path: Path) -> Path:
    """The path, or the same with -2, -3, … where a file has it."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_stem(f"{path.stem}-{number}")
    return candidate
