"""The recordings that the rows of `metadata.csv` name, and the files that no row names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.check.kinds import finding
from engine.check.report import Finding
from engine.data.clips import METADATA, RECORDINGS, Clip, CorpusScan
from engine.data.metadata import Row, recording_key, shown
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


def match_recordings(
    scan: CorpusScan, rows: Sequence[Row], claimed: Mapping[int, str]
) -> tuple[dict[int, Path], list[Clip], list[Finding]]:
    """Find the recording of each row by the row's id, and what does not match.

    `claimed` are the ids of lines that could not be read as rows, by line number: their
    recordings only lack a correct line and are no orphans.

    Returns:
        The recordings by their rows' lines; the recordings that other lines mean, as clips
        without text, in the order of their lines; and the findings.
    """
    meant = {line: recording_key(name) for line, name in claimed.items()}
    folder = _Folder(scan, {recording_key(row.clip_id) for row in rows} | set(meant.values()))
    matched: dict[int, Path] = {}
    findings: list[Finding] = []
    for row in rows:
        if paths := scan.recordings.get(recording_key(row.clip_id)):
            matched[row.line] = paths[0]
            findings += [folder.double(row, path, paths[0]) for path in paths[1:]]
        else:
            missing, meant[row.line] = folder.missing(row)
            findings.append(missing)
    findings += folder.unnamed({meant[row.line] for row in rows if row.line in meant})
    taken = {recording_key(row.clip_id) for row in rows if row.line in matched}
    first = {key: line for line, key in sorted(meant.items(), reverse=True)}
    unlisted = [
        Clip(line, shown(key), scan.recordings[key][0], "")
        for key, line in first.items()
        if key in scan.recordings and key not in taken
    ]
    return matched, sorted(unlisted, key=lambda clip: clip.line), findings


@dataclass(frozen=True)
class _Folder:
    """The files below `wavs/`."""

    scan: CorpusScan
    named: set[str]
    """Keys (`recording_key`) that lines name."""

    def file(self, path: Path) -> str:
        """A file below the dataset, fit to be shown."""
        return printable(path.relative_to(self.scan.dataset).as_posix())

    def key(self, path: Path) -> str:
        return recording_key(path.relative_to(self.scan.dataset / RECORDINGS).with_suffix(""))

    @cached_property
    def other_sounds(self) -> dict[str, Path]:
        """Sound in formats that are not read, by key."""
        files = self.scan.files
        return {self.key(path): path for path in files if _OTHER_SOUND.search(path.name)}

    @cached_property
    def unclaimed(self) -> dict[str, list[str]]:
        """Keys of recordings that no line names, by their `_bare` form."""
        found: dict[str, list[str]] = {}
        for key in self.scan.recordings:
            if key not in self.named:
                found.setdefault(_bare(key), []).append(key)
        return found

    def missing(self, row: Row) -> tuple[Finding, str]:
        """A row without its recording, and the key of the file that it may mean."""
        meant = recording_key(row.clip_id)
        second = self.scan.lines[row.line - 1].fields[1]
        similar = self.unclaimed.get(_bare(row.clip_id), [])
        other = self.other_sounds.get(meant) or self.other_sounds.get(_OTHER_SOUND.sub("", meant))
        swapped = recording_key(_ANY_SOUND.sub("", second))
        found = finding("missing-recording", "there is no such file")
        if second and swapped in self.scan.recordings:
            meant = swapped
            figure = f"the text comes first, then the id {shown(second)}"
            found = finding("swapped-fields", figure)
        elif other:
            meant = self.key(other)
            figure = f"there is only {self.file(other)}, a format that is not supported"
            found = finding("missing-recording", figure, advice="convert it to WAV or FLAC")
        elif len(similar) == 1:
            meant = similar[0]
            named = self.file(self.scan.recordings[meant][0])
            advice = "write the id exactly as the file is named, letter by letter"
            figure = f"there is {named}, which no row names"
            found = finding("missing-recording", figure, advice=advice)
        clip_id = shown(row.clip_id)
        return found.at(f"{RECORDINGS}/{clip_id}.wav", row.line, clip_id), meant

    def double(self, row: Row, path: Path, used: Path) -> Finding:
        found = finding("two-recordings", f"{self.file(used)} is used instead")
        return found.at(self.file(path), row.line, shown(row.clip_id))

    def unnamed(self, meant: set[str]) -> Iterator[Finding]:
        """Files that no row names or means, readable recordings first."""
        orphan = finding("orphaned-recording", f"no row of {METADATA} names it")
        for key, paths in sorted(self.scan.recordings.items()):
            if key not in self.named | meant and not paths[0].name.startswith("."):
                yield orphan.at(self.file(paths[0]))
        for key, path in sorted(self.other_sounds.items()):
            readable = key in self.scan.recordings or key in meant
            if not readable and not path.name.startswith("."):
                figure = f"{path.suffix[1:].upper()} is not supported"
                yield finding("other-format", figure).at(self.file(path))


def _bare(clip_id: str) -> str:
    """An id without what people write differently: folders, case, spaces, dashes, `(1)`."""
    name = recording_key(clip_id).replace("\\", "/").rsplit("/", 1)[-1].casefold()
    return _UNSEEN.sub("", _DASHES.sub("-", _COPY.sub("", _ANY_SOUND.sub("", name))))
