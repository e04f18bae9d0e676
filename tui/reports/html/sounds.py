"""Sounds inside a page, small enough to send: MP3, which every browser plays."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from engine.data.audio import RecordingFile
from engine.errors import InputError
from engine.run.sample import Sample

_MAX_SECONDS = 60.0
"""Of one sound; a sentence takes a few."""
_MAX_BYTES = 7_500_000
"""Of all sounds together, as the page holds them."""
_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""What MP3 can have, in Hz."""


@dataclass(slots=True)
class Heard:
    """A sound of the page: a sample, or a recording."""

    path: Path
    sample: Sample | None = None
    mark: str = ""
    """What its checkpoint is: `best`, `base` or `newest`."""
    sound: Markup | None = None
    """Its address; None where it is not in the page."""


def embed(sounds: Iterable[Heard], room: int = _MAX_BYTES) -> None:
    """Put sounds into the page, the first ones first, until so many bytes are used up.

    Those that cannot be read, or are no sentence by their length, are passed over.
    """
    known: dict[Path, Markup] = {}
    for one in sounds:
        try:
            address = known.get(one.path) or data_address("audio/mpeg", _mp3(one.path))
        except InputError:
            continue
        room -= len(address)
        if room < 0:
            return
        one.sound = known[one.path] = address


def data_address(kind: str, content: bytes) -> Markup:
    """The address of a file that is inside the page."""
    address = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return Markup(address)  # noqa: S704 - base64 needs no escape


def _mp3(path: Path) -> bytes:
    import soundfile

    if path.is_symlink():  # a voice from somebody else could show what is outside its folder
        raise InputError(f"{path} is a link.")
    with RecordingFile(path) as file:
        frames, rate = file.length()
        if frames > _MAX_SECONDS * rate:
            raise InputError(f"{path} is longer than {_MAX_SECONDS:.0f} s.")
        rate = min(_RATES, key=lambda one: (one < rate, abs(one - rate)))
        samples = file.mono(rate)
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format="MP3", subtype="MPEG_LAYER_III")
    return content.getvalue()
