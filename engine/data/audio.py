"""Reading a recording, and the bytes of a WAV."""

import contextlib
import hashlib
import io
import os
import struct
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from engine.data.audio_spec import AudioSpec as AudioSpec
from engine.data.container import Container, find_container
from engine.errors import InputError

if TYPE_CHECKING:
    # The libraries that decode load with the first recording.
    import soundfile
    from _typeshed import WriteableBuffer

ABSURD = 1e6
"""Level that no recording has, full scale being 1; far above it, float32 powers overflow."""

MAX_RECORDING_BYTES = 2**30
"""Bytes of a recording: an hour and a half of 16 bits in stereo at 48 kHz, while a clip has
seconds. A file of holes can have any number, which would all be read."""

# Bytes of samples that a file may lack whose rest is taken.
_SLACK = 4_096
# Samples of all channels that are read at once.
_BLOCK = 2**20
HEADER_BYTES = 44
"""What comes before the first sample of a WAV of ours."""
# A size that is not known yet, as players of streams expect it.
_OPEN = 2**32 - 1
_BYTES_PER_SAMPLE = 2


class RecordingFile:
    """A WAV or FLAC file, opened once for its hash, its length and its samples.

    A context manager. Whatever is wrong with the file is an `InputError` that names it.
    """

    def __init__(self, path: Path) -> None:
        """Open the file; whether it is a recording shows when its length or samples are read."""
        self.path = path
        with _naming(path):
            if not path.is_file():
                raise InputError(f"{path} does not exist or is not a file.")
            if path.stat().st_size > MAX_RECORDING_BYTES:
                raise InputError(
                    f"{path} is too large (maximum {MAX_RECORDING_BYTES:,} bytes); cut it into "
                    f"clips."
                )
            # Without a buffer: libsndfile reads from the same descriptor.
            self._file = path.open("rb", buffering=0)
            self.size = os.fstat(self._file.fileno()).st_size
            """Bytes of the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "decoder" in self.__dict__:
            self.decoder.close()
        self._file.close()

    def bytes_at(self, start: int, count: int) -> bytes:
        """So many bytes of the file, or what there is of them; moves no decoder."""
        with _naming(self.path):
            return os.pread(self._file.fileno(), count, start)

    def content_hash(self) -> str:
        """SHA-256 of the bytes of the file."""
        with _naming(self.path):
            self._file.seek(0)
            return hashlib.file_digest(self._file, "sha256").hexdigest()

    @cached_property
    def container(self) -> Container:
        """Where the sound lies in the file."""
        return find_container(self.bytes_at, self.size)

    @cached_property
    def decoder(self) -> "soundfile.SoundFile":
        """The decoder, at the first sample, of a file that may be cut short."""
        import soundfile

        with _naming(self.path):
            container = self.container
            if container.header is not None:
                part = _Part(container.header, self._file.fileno(), container)
                return soundfile.SoundFile(part, "r")
            self._file.seek(0)
            return soundfile.SoundFile(self._file.fileno(), closefd=False)

    def length(self) -> tuple[int, int]:
        """Samples of a channel and sample rate in Hz, as the header of a whole file has them."""
        self.require_whole()
        return int(self.decoder.frames), int(self.decoder.samplerate)

    def mono(self, sample_rate: int) -> NDArray[np.float32]:
        """Read all samples of a whole file as mono `(N,)` at a sample rate in Hz.

        Channels are mixed down by their mean; another sample rate is converted by soxr's high
        quality recipe, which is also librosa's default.
        """
        _, rate = self.length()
        with _naming(self.path):
            samples = _read(self.decoder)  # (N, channels)
        if not np.abs(samples).max(initial=0) < ABSURD:  # so is NaN
            raise InputError(f"{self.path} has samples that are not audio; export it again.")
        mono: NDArray[np.float32] = samples.mean(axis=1)
        if rate != sample_rate and len(mono):
            import soxr

            mono = soxr.resample(mono, rate, sample_rate, quality="HQ")
        if not len(mono):
            raise self._empty()
        return mono

    def require_whole(self) -> None:
        """Refuse what must not, or need not, be handed to libsndfile."""
        container = self.container
        if not self.size:
            raise InputError(f"{self.path} is empty: the file holds nothing.")
        if container.tags >= self.size:
            raise InputError(
                f"{self.path} is neither WAV nor FLAC as it stands: its ID3 tag promises "
                f"{container.tags:,} bytes, the file holds {self.size:,}; save it as one of them, "
                f"without tags."
            )
        if not container.kind:
            # Its MP3 decoder writes its doubts on stderr, which is the person's screen.
            raise InputError(f"{self.path} is neither WAV nor FLAC; convert it to one of them.")
        if container.empty:
            raise self._empty()
        if container.missing > _SLACK:
            raise InputError(
                f"{self.path} is cut short: its header promises {container.promised:,} bytes of "
                f"samples, the file holds {container.present:,}; copy it again."
            )

    def _empty(self) -> InputError:
        return InputError(f"{self.path} is empty: it has no samples.")


def recording_length(path: Path) -> tuple[int, int]:
    """`RecordingFile.length` of a file."""
    with RecordingFile(path) as recording:
        return recording.length()


def load_recording(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """`RecordingFile.mono` of a file."""
    with RecordingFile(path) as recording:
        return recording.mono(sample_rate)


class _Part(io.RawIOBase):
    """The sound of a file behind another header than its own, for the decoder to read."""

    def __init__(self, header: bytes, descriptor: int, container: Container) -> None:
        """Read from a file descriptor, which stays open and where it is."""
        super().__init__()
        self._header, self._descriptor, self._start = header, descriptor, container.start
        self._size = len(header) + container.end - container.start
        self._place = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        """The place from the first byte of the header."""
        return self._place

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill a buffer, or what of it there are bytes for."""
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._size - self._place))
        piece = self._header[self._place :][:count]
        if len(piece) < count:
            # An exception would be printed, not raised: libsndfile calls this.
            with contextlib.suppress(OSError):
                place = self._start + self._place + len(piece) - len(self._header)
                piece += os.pread(self._descriptor, count - len(piece), place)
        view[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)


def _read(file: "soundfile.SoundFile") -> NDArray[np.float32]:
    """All samples `(N, channels)`, in blocks: a damaged header may claim more than memory holds."""
    blocks = [np.empty((0, file.channels), np.float32)]
    while True:
        block = file.read(max(1, _BLOCK // file.channels), dtype="float32", always_2d=True)
        if not len(block):
            return np.concatenate(blocks)
        blocks.append(block)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn trouble with reading a recording into one sentence that names it."""
    import soundfile

    try:
        yield
    except (soundfile.SoundFileError, OSError) as error:
        words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
        raise InputError(
            f"{path} cannot be read as a recording ({str(words).rstrip('. ')}); "
            "save it as WAV or FLAC."
        ) from error


def wav_header(sample_rate: int, samples: int | None = None) -> bytes:
    """Return the header of a mono WAV of 16 bits; without a number of `samples` it stays open."""
    size = _OPEN if samples is None else min(samples * _BYTES_PER_SAMPLE, _OPEN)
    rest = _OPEN if samples is None else min(size + HEADER_BYTES - 8, _OPEN)
    per_second = sample_rate * _BYTES_PER_SAMPLE
    form = struct.pack("<IHHIIHH", 16, 1, 1, sample_rate, per_second, _BYTES_PER_SAMPLE, 16)
    return b"RIFF%bWAVEfmt %bdata%b" % (struct.pack("<I", rest), form, struct.pack("<I", size))


def pcm16(waveform: NDArray[np.float32]) -> bytes:
    """Return samples `(n,)` in [−1, 1] as whole numbers of 16 bits, little-endian."""
    return np.round(np.clip(waveform, -1, 1) * 32_767).astype("<i2").tobytes()


def wav_bytes(waveform: NDArray[np.float32], sample_rate: int) -> bytes:
    """Return samples `(n,)` in [−1, 1] as a mono WAV of 16 bits."""
    return wav_header(sample_rate, len(waveform)) + pcm16(waveform)
