"""Markers and manifests, as strangers may have written them."""

import json

import pytest
from hypothesis import given
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


@given(manifests, st.data())
def test_a_changed_byte_makes_a_manifest_invalid(manifest, data):
    content = bytearray(encoded(manifest))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        found = parse(bytes(content), Manifest)
    except InputError:
        return
    # White space, or a digit written another way, says the same.
    assert found.key != manifest.key or found == manifest


@given(st.sampled_from([*json.loads(encoded(MANIFEST)), "more"]), anything)
def test_no_field_of_a_manifest_is_trusted(name, value):
    try:
        found = parse(changed(MANIFEST, **{name: value}), Manifest)
    except InputError:
        return
    assert found.key != MANIFEST.key or found == MANIFEST


@given(st.binary(max_size=400) | anything.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused(content):
    for kind in (Manifest, Marker, Latest):
        with pytest.raises(InputError):
            parse(content, kind)


@pytest.mark.parametrize(
    "name",
    ["../voice.toml", "/etc/passwd", "a/b.json", "..", ".hidden.json", "C:\\a.json",
     "weights.safetensors\n", "manifest.json", "x" * 300 + ".json", "run.py", "", "\x00.json"],
)  # fmt: skip
def test_a_checkpoint_has_no_file_of_such_a_name(name):
    files = json.loads(encoded(MANIFEST))["files"] | {name: {"size": 1, "sha256": DIGEST}}
    with pytest.raises(InputError, match="key"):
        parse(changed(MANIFEST, files=files), Manifest)


@pytest.mark.parametrize("name", ["../lock", "lock", "text2mel/history.jsonl", "voice.toml\n"])
@pytest.mark.parametrize("content", [MANIFEST, LATEST])
def test_a_voice_has_no_file_of_such_a_name(name, content):
    changes = {"voice_files": {name: {"size": 1, "sha256": DIGEST}}}
    with pytest.raises(InputError, match="key"):
        parse(changed(content, **changes), type(content))


@pytest.mark.parametrize("size", [-1, 2**40 + 1, 10**400, 1.5, True, "5"])
def test_a_file_has_no_such_size(size):
    files = {"voice.toml": {"size": size, "sha256": DIGEST}}
    with pytest.raises(InputError):
        parse(changed(LATEST, voice_files=files), Latest)


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b'{"format": 1' + b"0" * 5000 + b"}", b" " * (MAX_BYTES + 1), b"\xff\xfe{}"],
    ids=["nested", "digits", "long", "bytes"],
)
def test_a_bomb_is_refused_like_anything_else(content):
    with pytest.raises(InputError):
        parse(content, Marker)


def test_another_format_is_recognised():
    with pytest.raises(InputError, match="its format is 2, not 1"):
        parse(b'{"format": 2}', Marker)
