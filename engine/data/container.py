"""Where the sound of a WAV or FLAC file lies, whatever its header says and what stands around it.

A recorder that is killed, or writes into a pipe, never comes to write the sizes into its header:
they are 0, or the largest number, or those of its last update, and all samples are there. Taggers
put ID3 before and after the sound. libsndfile would read nothing of some such files, and tags as
noise of others.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from engine.data.flac import STREAMINFO_END, samples_present, samples_promised, with_samples

_Order = Literal["big", "little"]
_Sizes = Literal["right", "wrong", "cut"]

BytesAt = Callable[[int, int], bytes]
"""So many bytes of a file from a place on, or what there is of them."""

# Bytes of a RIFF file before its chunks, and of a chunk's own header; chunks that are searched,
# and the longest `fmt ` that is believed.
_RIFF_HEADER, _CHUNK_HEADER, _MAX_CHUNKS, _MAX_FORMAT = 12, 8, 64, 1_024
# WAV (of either byte order, or above 4 GB).
_LARGE = (b"RF64", b"BW64")
_WAVS = (b"RIFF", b"RIFX", *_LARGE)
# Programs that do not know the size in advance write one above this.
_UNKNOWN_SIZE = 0x7FFF_0000
# Bytes by which the size of the whole may be wrong: programs count their own chunks differently.
_SLACK = 4_096
# Of the fastest sound cards, in many channels.
_MAX_BYTES_A_SECOND = 2**24
# Seconds that no clip has: a recorder was told to stop there at the latest.
_UNLIKELY_SECONDS = 200
# Seconds that may be missing without a word being lost.
_NEGLIGIBLE = 0.02
# Bytes after the samples that are more than padding, and what a chunk's name looks like.
_MIN_REST = 2_000
_CHUNK_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_ ]{3}|ID3.|TAG.", re.DOTALL)
# Chunks that programs write after the samples.
_LAST_CHUNK = re.compile(
    rb"LIST|JUNK|junk|PAD |FLLR|bext|iXML|_PMX|axml|chna|cart|afsp|id3 |ID3 |cue |smpl|inst|acid|"
    rb"plst|labl|note|strc|levl|PEAK|fact|DISP|umid|minf|elm1|regn"
)
# Bytes at the end of a file that are searched for chunks and for a last frame.
_TAIL = 2**20
# Bytes of the header and footer of ID3v2, of ID3v1, of the footer of APE; tags that are skipped.
_ID3, _OLD_TAG, _APE, _MAX_TAGS = 10, 128, 32, 16
_HAS_FOOTER = 0x10


@dataclass(frozen=True)
class Container:
    """What holds the sound, and how much of it there is."""

    kind: Literal["WAV", "FLAC", ""]
    """Empty where the file is neither."""
    tags: int = 0
    """Bytes of ID3 tags before it; those of a wrong size may reach beyond the file."""
    start: int = 0
    """Where the bytes begin that the decoder is to read after `header`."""
    end: int = 0
    header: bytes | None = None
    """What the decoder is to read in place of the file's own header; None where that will do."""
    promised: int = 0
    """Bytes of samples that a WAV's header promises."""
    present: int = 0
    """Bytes of samples that a WAV has, or samples of a FLAC that names no number."""
    sizes: _Sizes = "right"
    """`wrong` where a header is unfinished and all samples are there, `cut` where some are not."""

    @property
    def empty(self) -> bool:
        """Whether a file with a wrong size has no sample at all."""
        return self.sizes == "wrong" and not self.present

    @property
    def missing(self) -> int:
        """Bytes of samples that a file lacks which was cut."""
        return self.promised - self.present if self.sizes == "cut" else 0


def find_container(bytes_at: BytesAt, size: int) -> Container:
    """Find the sound in a file of so many bytes; never raises for what the file holds."""
    tags = _tags(bytes_at, size)
    head = bytes_at(tags, STREAMINFO_END)
    if head.startswith(b"fLaC"):
        return _flac(bytes_at, size, tags, head)
    if head.startswith(_WAVS) and head[8:12] in (b"WAVE", b""):
        return _wav(bytes_at, size, tags)
    return Container("", tags)


def _tags(bytes_at: BytesAt, size: int) -> int:
    """Bytes of the ID3v2 tags that a file begins with."""
    place = 0
    for _ in range(_MAX_TAGS):
        tag = bytes_at(place, _ID3)
        if place > size or not tag.startswith(b"ID3") or len(tag) < _ID3:
            break
        length = 0
        for byte in tag[6:]:
            length = length << 7 | byte & 0x7F
        place += _ID3 + length + (_ID3 if tag[5] & _HAS_FOOTER else 0)
    return place


def _flac(bytes_at: BytesAt, size: int, tags: int, head: bytes) -> Container:
    if samples_promised(head) != 0:
        return Container("FLAC", tags, tags, size, b"" if tags else None)
    end = _without_tags(bytes_at, tags, size)
    start = max(tags + STREAMINFO_END, end - _TAIL)
    count = samples_present(head, bytes_at(start, end - start))
    header = with_samples(head, count)
    return Container("FLAC", tags, tags + STREAMINFO_END, end, header, 0, count, "wrong")


@dataclass(frozen=True)
class _Chunks:
    """What a WAV has before its samples; sizes in bytes, as they are written."""

    form: bytes
    """The content of the chunk `fmt `."""
    whole: int
    """Of the file, but for the number's own end."""
    promised: int
    """Of the samples."""
    start: int
    """Where the samples begin."""
    regular: bool
    """Whether libsndfile finds them, too."""
    order: _Order

    @property
    def bytes_a_second(self) -> int:
        """As `fmt ` has it, within reason."""
        return min(int.from_bytes(self.form[8:12], self.order), _MAX_BYTES_A_SECOND)


def _wav(bytes_at: BytesAt, size: int, tags: int) -> Container:
    kind = bytes_at(tags, 4)
    order: _Order = "big" if kind == b"RIFX" else "little"
    chunks = _chunks(bytes_at, tags, order)
    if chunks is None:  # for the decoder to refuse
        return Container("WAV", tags, tags, size, b"" if tags else None)
    start, promised = chunks.start, chunks.promised
    end, sizes = _samples_end(bytes_at, size, tags, chunks)
    present = max(0, end - start)
    header = None
    if sizes == "wrong" or tags or not chunks.regular:
        header = _header(chunks.form, present, order)
    return Container("WAV", tags, start, start + present, header, promised, present, sizes)


def _samples_end(bytes_at: BytesAt, size: int, tags: int, chunks: _Chunks) -> tuple[int, _Sizes]:
    """Where the samples of a WAV end, and what its sizes are worth."""
    start, promised, order = chunks.start, chunks.promised, chunks.order
    end, whole = start + promised, tags + _CHUNK_HEADER + chunks.whole
    negligible = int(_NEGLIGIBLE * chunks.bytes_a_second)
    known = 0 < promised < _UNKNOWN_SIZE
    limit = max(_UNLIKELY_SECONDS * chunks.bytes_a_second, size)
    if known and end <= size + negligible:
        if size - end >= _MIN_REST and not _CHUNK_NAME.fullmatch(bytes_at(end, 4)):
            return _without_tags(bytes_at, end, size, order), "wrong"
        fits = end - _SLACK <= whole <= size + _SLACK
        return min(end, size), "right" if fits else "wrong"
    if known and promised < limit and size + 1 < whole < _UNKNOWN_SIZE:
        return size, "cut"
    end = _without_tags(bytes_at, start, size, order)
    return end, "wrong" if end > start or promised else "right"


def _chunks(bytes_at: BytesAt, tags: int, order: _Order) -> _Chunks | None:
    """The chunks up to the samples; None where there are none."""
    head = bytes_at(tags, _RIFF_HEADER)
    large = head[:4] in _LARGE
    whole, form, sizes = int.from_bytes(head[4:8], order), b"", b""
    place, regular = tags + _RIFF_HEADER, head[:4] != b"BW64"
    for _ in range(_MAX_CHUNKS):
        header = bytes_at(place, _CHUNK_HEADER)
        name, length = header[:4], int.from_bytes(header[4:], order)
        place += _CHUNK_HEADER
        if len(header) < _CHUNK_HEADER:
            break
        if name == b"data":
            if large and len(sizes) == 16:  # "ds64" has what 32 bits do not hold
                whole, length = (int.from_bytes(sizes[i : i + 8], order) for i in (0, 8))
            return _Chunks(form, whole, length, place, regular, order)
        if name == b"fmt ":
            form = bytes_at(place, min(length, _MAX_FORMAT))
        elif name == b"ds64":
            sizes = bytes_at(place, 16)
        place += length
        if length % 2:
            padded = not _CHUNK_NAME.fullmatch(bytes_at(place, 4))
            padded = padded or bytes_at(place + 1, 4) == b"data"
            place, regular = place + padded, regular and padded
    return None


def _header(form: bytes, present: int, order: _Order) -> bytes:
    """The plainest header of a WAV with so many bytes of samples."""
    padded = form + bytes(len(form) % 2)
    whole = _RIFF_HEADER + 2 * _CHUNK_HEADER + len(padded) + present - _CHUNK_HEADER
    parts = (
        b"RIFX" if order == "big" else b"RIFF",
        whole.to_bytes(4, order),
        b"WAVEfmt ",
        len(form).to_bytes(4, order),
        padded,
        b"data",
        present.to_bytes(4, order),
    )
    return b"".join(parts)


def _without_tags(bytes_at: BytesAt, start: int, end: int, order: _Order = "little") -> int:
    """Where the sound ends before the tags and chunks at the end of a file."""
    for _ in range(_MAX_TAGS):
        before = end
        if end - start >= _OLD_TAG and bytes_at(end - _OLD_TAG, 3) == b"TAG":
            end -= _OLD_TAG
        footer = bytes_at(end - _APE, _APE) if end - start >= _APE else b""
        if footer.startswith(b"APETAGEX"):
            has_header = footer[23] & 0x80
            end -= int.from_bytes(footer[12:16], "little") + (_APE if has_header else 0)
        end = max(start, _before_chunks(bytes_at, start, end, order))
        if end == before:
            break
    return end


def _before_chunks(bytes_at: BytesAt, start: int, end: int, order: _Order) -> int:
    """Where a row of chunks begins that ends just where the file does."""
    window = max(start, end - _TAIL)
    tail = bytes_at(window, max(0, end - window))
    seen: set[int] = set()  # from which no row leads to the end
    for found in _LAST_CHUNK.finditer(tail):
        place = found.start()
        while place not in seen:
            seen.add(place)
            header = tail[place : place + _CHUNK_HEADER]
            if len(header) < _CHUNK_HEADER or not _CHUNK_NAME.fullmatch(header[:4]):
                break
            length = int.from_bytes(header[4:], order)
            place += _CHUNK_HEADER + length + length % 2
            if 0 <= place - len(tail) <= length % 2:  # the last one may lack its padding
                return window + found.start()
    return end
