"""The recordings that the rows of `metadata.csv` name, and the files that no row names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.check.report import Fault, Finding
from engine.data.clips import METADATA, RECORDINGS, CorpusScan, recording_key
from engine.data.metadata import Line, Row, shown
from engine.formatting import printable

# Sound in files that are not read.
_OTHER_SOUND = re.compile(
    r"\.(?:mp3|m4[abp]|mp4|aac|og[ga]|opus|wma|aif[fc]?|au|snd|caf|amr|3gp|webm|mka|mov|ac3|ape|wv|"
    r"raw|pcm|sph|w64|rf64)$",
    re.IGNORECASE,
)
# What programs add to the name of a second copy.
_COPY = re.compile(r"(?: ?\(\d{1,3}\)| - copy)$")
_DASHES = re.compile("[_\u2010-\u2015\u2212]")
_UNSEEN = re.compile("[\\s\u200b-\u200f\u2060\ufeff]+")
_ANY_SOUND = re.compile(rf"{_OTHER_SOUND.pattern}|\.(?:wav|flac)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UnlistedRecording:
    """A recording that a line means but does not name as training needs it."""

    line: int
    clip_id: str
    """The id that the line means, fit to be shown."""
    path: Path


@dataclass(frozen=True, slots=True)
class Matched:
    """Which recordings belong to which lines."""

    recordings: dict[str, Path]
    """The recording of each row that has one, by the row's id."""
    unlisted: tuple[UnlistedRecording, ...]
    """Those that other lines mean, in the order of the lines; each appears once."""
    findings: list[Finding]


def match_recordings(
    scan: CorpusScan, rows: Sequence[tuple[Row, Line]], claimed: Mapping[int, str]
) -> Matched:
    """Find the recording of each row by the row's id, and what does not match.

    `claimed` are the ids of lines that could not be read as rows, by line number: their
    recordings only lack a correct line and are no orphans.
    """
    named = {recording_key(row.clip_id) for row, _ in rows}
    folder = _Folder(
        scan.dataset / RECORDINGS,
        scan.recordings,
        _other_sounds(scan),
        named.union(map(recording_key, claimed.values())),
    )
    matched: dict[str, Path] = {}
    findings: list[Finding] = []
    meant: dict[int, str] = {}
    for row, line in rows:
        paths = folder.recordings.get(recording_key(row.clip_id))
        if paths:
            matched[row.clip_id] = paths[0]
            findings += [_double(row, folder, path, paths[0]) for path in paths[1:]]
        else:
            finding, key = _missing(row, line.fields[1], folder)
            findings.append(finding)
            meant[row.line] = key
    findings += _unnamed(folder, set(meant.values()))
    keys = {**meant, **{line: recording_key(name) for line, name in claimed.items()}}
    taken = {recording_key(clip_id) for clip_id in matched}
    return Matched(matched, tuple(_unlisted(folder, keys, taken)), findings)


@dataclass(frozen=True)
class _Folder:
    """The files below `wavs/` by their `recording_key`."""

    path: Path
    recordings: dict[str, list[Path]]
    other_sounds: dict[str, Path]
    named: set[str]
    """Keys that lines name."""

    def file(self, path: Path) -> str:
        """A file below the dataset, fit to be shown."""
        return printable(f"{RECORDINGS}/{path.relative_to(self.path).as_posix()}")

    @cached_property
    def unclaimed(self) -> dict[str, list[str]]:
        """Keys of recordings that no line names, by their `_bare` form."""
        found: dict[str, list[str]] = {}
        for key in self.recordings:
            if key not in self.named:
                found.setdefault(_bare(key), []).append(key)
        return found


def _unlisted(
    folder: _Folder, keys: Mapping[int, str], taken: set[str]
) -> Iterable[UnlistedRecording]:
    """The recordings with these keys that no other line has."""
    first = {key: line for line, key in sorted(keys.items(), reverse=True)}
    for key, line in sorted(first.items(), key=lambda item: item[1]):
        if key in folder.recordings and key not in taken:
            yield UnlistedRecording(line, shown(key), folder.recordings[key][0])


def _bare(clip_id: str) -> str:
    """An id without what people write differently: folders, case, spaces, dashes, `(1)`."""
    name = recording_key(clip_id).replace("\\", "/").rsplit("/", 1)[-1].casefold()
    return _UNSEEN.sub("", _DASHES.sub("-", _COPY.sub("", _ANY_SOUND.sub("", name))))


def _other_sounds(scan: CorpusScan) -> dict[str, Path]:
    folder = scan.dataset / RECORDINGS
    paths = [path for path in scan.files if _OTHER_SOUND.search(path.name)]
    return {recording_key(path.relative_to(folder).with_suffix("")): path for path in paths}


def _missing(row: Row, second: str, folder: _Folder) -> tuple[Finding, str]:
    """A row without its recording, and the key of the file that it may mean."""
    key = recording_key(row.clip_id)
    kind, meant = "missing-recording", key
    figure = "there is no such file"
    advice = f"put the recording into {RECORDINGS}/, or delete the line"
    similar = folder.unclaimed.get(_bare(row.clip_id), [])
    other = folder.other_sounds.get(key) or folder.other_sounds.get(_OTHER_SOUND.sub("", key))
    swapped = recording_key(_ANY_SOUND.sub("", second))
    if second and swapped in folder.recordings:
        kind, meant = "swapped-fields", swapped
        figure = f"the text comes first, then the id {shown(second)}"
        advice = "write the id first: id|text"
    elif other:
        figure = f"there is only {folder.file(other)}, a format that is not supported"
        advice = "convert it to WAV or FLAC"
        meant = recording_key(other.relative_to(folder.path).with_suffix(""))
    elif len(similar) == 1:
        figure = f"there is {folder.file(folder.recordings[similar[0]][0])}, which no row names"
        advice = "write the id exactly as the file is named, letter by letter"
        meant = similar[0]
    file = f"{RECORDINGS}/{shown(row.clip_id)}.wav"
    return Fault(kind, "error", figure, advice).at(file, row.line, shown(row.clip_id)), meant


def _double(row: Row, folder: _Folder, path: Path, used: Path) -> Finding:
    figure = f"{folder.file(used)} is used instead"
    fault = Fault("two-recordings", "warning", figure, "keep the right one and delete the other")
    return fault.at(folder.file(path), row.line, shown(row.clip_id))


def _unnamed(folder: _Folder, meant: set[str]) -> list[Finding]:
    """Files that no row names or means, readable recordings first."""
    findings = []
    figure = f"no row of {METADATA} names it"
    advice = "add a line with its transcript, or remove it"
    orphan = Fault("orphaned-recording", "warning", figure, advice)
    for key, paths in sorted(folder.recordings.items()):
        if key not in folder.named | meant and not paths[0].name.startswith("."):
            findings.append(orphan.at(folder.file(paths[0])))
    advice = "convert it to WAV or FLAC and add a line for it, or remove it"
    for key, path in sorted(folder.other_sounds.items()):
        if key not in meant and key not in folder.recordings and not path.name.startswith("."):
            figure = f"{path.suffix[1:].upper()} is not supported"
            fault = Fault("other-format", "warning", figure, advice)
            findings.append(fault.at(folder.file(path)))
    return findings
