"""Sounds inside a page, small enough to send: MP3, which every browser plays."""

import base64
import io
from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup

from engine.data.audio import RecordingFile
from engine.errors import InputError

_MAX_SECONDS = 60.0
"""Of one sound; a sentence takes a few."""
_MAX_BYTES = 6_500_000
"""Of all sounds together, as the page holds them."""
_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""What MP3 can have, in Hz."""


def embedded(paths: Iterable[Path], room: int = _MAX_BYTES) -> dict[Path, Markup]:
    """The `data:` addresses of sounds: of the first ones, as many as fit into so many bytes.

    Those that cannot be read, or are no sentence by their length, are passed over.
    """
    found: dict[Path, Markup] = {}
    for path in dict.fromkeys(paths):
        try:
            address = data_address("audio/mpeg", _mp3(path))
        except InputError:
            continue
        room -= len(address)
        if room < 0:
            break
        found[path] = address
    return found


def data_address(kind: str, content: bytes) -> Markup:
    """The address of a file that is inside the page."""
    address = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return Markup(address)  # noqa: S704 - base64 needs no escape


def _mp3(path: Path) -> bytes:
    import soundfile

    with RecordingFile(path) as file:
        frames, rate = file.length()
        if frames > _MAX_SECONDS * rate:
            raise InputError(f"{path} is longer than {_MAX_SECONDS:.0f} s.")
        rate = min(_RATES, key=lambda one: (one < rate, abs(one - rate)))
        samples = file.mono(rate)
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format="MP3", subtype="MPEG_LAYER_III")
    return content.getvalue()
