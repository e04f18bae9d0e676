"""Markers and manifests, as strangers may have written them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.mirror.layout import (
    CHECKPOINT_FOLDER,
    MAX_BYTES,
    VOICE_FILES,
    Latest,
    Manifest,
    Marker,
    encoded,
    parse,
)
from engine.mirror.store import FileInfo
from engine.run.stop import MAX_STEPS

DIGEST = "ab" * 32
MANIFEST = Manifest(
    id="0123456789abcdef" * 2,
    network="text2mel",
    step=871_000,
    sequence=17,
    files={"weights.safetensors": FileInfo(96, DIGEST), "state.json": FileInfo(7, DIGEST)},
    voice_files={"voice.toml": FileInfo(5, DIGEST)},
)
LATEST = Latest(MANIFEST.id, 17, MANIFEST.voice_files)
MARKER = Marker(MANIFEST.id, "älice [bold]", "t", "process 1")

infos = st.builds(
    FileInfo, st.integers(0, 2**40), st.binary(min_size=32, max_size=32).map(bytes.hex)
)
manifests = st.builds(
    Manifest,
    id=st.binary(min_size=16, max_size=16).map(bytes.hex),
    network=st.sampled_from(["text2mel", "ssrn"]),
    step=st.integers(0, MAX_STEPS),
    sequence=st.integers(0, 2**53),
    files=st.fixed_dictionaries(
        {"weights.safetensors": infos, "state.json": infos},
        optional={"optimizer.safetensors": infos, "average.safetensors": infos},
    ),
    voice_files=st.dictionaries(st.sampled_from(sorted(VOICE_FILES)), infos),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def changed(content, **fields) -> bytes:
    return json.dumps(json.loads(encoded(content)) | fields).encode()


def is_refused_or_the_same(content: bytes, manifest: Manifest) -> bool:
    """Whether no reader takes this for the manifest of that folder, unless it says the same."""
    try:
        found = parse(content, Manifest)
    except InputError:
        return True
    return found.key != manifest.key or found == manifest


@settings(max_examples=50)
@given(manifests)
def test_files_are_read_as_they_were_written(manifest):
    assert parse(encoded(manifest), Manifest) == manifest
    assert CHECKPOINT_FOLDER.search(manifest.key)
    latest = Latest(manifest.id, manifest.sequence, manifest.voice_files)
    assert parse(encoded(latest), Latest) == latest
    assert all("/" not in name for name in latest.names.values())
    assert parse(encoded(MARKER), Marker) == MARKER


def test_a_manifest_has_the_bytes_that_earlier_versions_wrote():
    assert MANIFEST.key == "text2mel/step-000871000.e472ef1d78502e9c"
    assert list(json.loads(encoded(MANIFEST))) == [
        *("format", "id", "network", "step", "sequence", "files", "voice_files"),
    ]


@settings(max_examples=50)
@given(manifests, st.data())
def test_a_changed_byte_makes_a_manifest_invalid(manifest, data):
    content = bytearray(encoded(manifest))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    # White space, or a digit written another way, says the same.
    assert is_refused_or_the_same(bytes(content), manifest)


@settings(max_examples=50)
@given(st.sampled_from([*json.loads(encoded(MANIFEST)), "more"]), anything)
def test_no_field_of_a_manifest_is_trusted(name, value):
    assert is_refused_or_the_same(changed(MANIFEST, **{name: value}), MANIFEST)


@settings(max_examples=50)
@given(st.binary(max_size=400) | anything.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused(content):
    for kind in (Manifest, Marker, Latest):
        with pytest.raises(InputError):
            parse(content, kind)


CHECKPOINT_NAMES = ("../voice.toml", "/etc/passwd", "a/b.json", "..", ".hidden.json", "C:\\a.json",
                    "weights.safetensors\n", "manifest.json", "x" * 300 + ".json", "run.py", "",
                    "\x00.json")  # fmt: skip
VOICE_NAMES = ("../lock", "lock", "text2mel/history.jsonl", "voice.toml\n")


@pytest.mark.parametrize(
    ("content", "field", "name", "size"),
    [
        *((MANIFEST, "files", name, 1) for name in CHECKPOINT_NAMES),
        *((one, "voice_files", name, 1) for name in VOICE_NAMES for one in (MANIFEST, LATEST)),
        *((LATEST, "voice_files", "voice.toml", size)
          for size in (-1, 2**40 + 1, 10**400, 1.5, True, "5")),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str | int | float) else None,
)  # fmt: skip
def test_no_file_has_such_a_name_or_size(content, field, name, size):
    files = json.loads(encoded(content))[field] | {name: {"size": size, "sha256": DIGEST}}
    with pytest.raises(InputError):
        parse(changed(content, **{field: files}), type(content))


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b'{"format": 1' + b"0" * 5000 + b"}", b" " * (MAX_BYTES + 1), b"\xff\xfe{}"],
    ids=["nested", "digits", "long", "bytes"],
)
def test_a_bomb_is_refused_like_anything_else(content):
    with pytest.raises(InputError):
        parse(content, Marker)
