"""Markers and manifests, as strangers may have written them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.mirror.layout import (
    MAX_BYTES,
    VOICE_FILES,
    FileMark,
    Latest,
    Manifest,
    Marker,
    parse_latest,
    parse_manifest,
    parse_marker,
    step_of,
)
from engine.run.stop import MAX_STEPS

DIGEST = "ab" * 32
MANIFEST = Manifest(
    id="0123456789abcdef" * 2,
    network="text2mel",
    step=871_000,
    sequence=17,
    files={"weights.safetensors": FileMark(96, DIGEST), "state.json": FileMark(7, DIGEST)},
    voice_files={"voice.toml": FileMark(5, DIGEST)},
)
MARKER = Marker(
    id=MANIFEST.id,
    voice="älice [bold]",
    token="t",
    writer="process 1",
    newest={"text2mel": MANIFEST.key},
)

marks = st.builds(
    FileMark, st.integers(0, 2**40), st.binary(min_size=32, max_size=32).map(bytes.hex)
)
files = st.fixed_dictionaries(
    {"weights.safetensors": marks, "state.json": marks},
    optional={"optimizer.safetensors": marks, "average.safetensors": marks},
)
manifests = st.builds(
    Manifest,
    id=st.binary(min_size=16, max_size=16).map(bytes.hex),
    network=st.sampled_from(["text2mel", "ssrn"]),
    step=st.integers(0, MAX_STEPS),
    sequence=st.integers(0, 2**53),
    files=files,
    voice_files=st.dictionaries(st.sampled_from(sorted(VOICE_FILES)), marks),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(manifests)
def test_a_manifest_is_read_as_it_was_written(manifest):
    assert parse_manifest(manifest.encoded(), manifest.key) == manifest
    assert step_of(manifest.key) == manifest.step


@given(manifests)
def test_what_went_there_last_is_read_as_it_was_written_and_names_no_other_file(manifest):
    latest = Latest(manifest.id, manifest.sequence, manifest.voice_files)
    assert parse_latest(latest.encoded()) == latest
    assert all("/" not in place for place in latest.places.values())
    said = json.loads(latest.encoded())
    said["voice_files"]["../lock"] = {"size": 1, "sha256": DIGEST}
    with pytest.raises(ValueError, match="names the file"):
        parse_latest(json.dumps(said).encode())


@given(manifests, st.data())
def test_a_manifest_with_another_byte_is_none(manifest, data):
    content = bytearray(manifest.encoded())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        found = parse_manifest(bytes(content), manifest.key)
    except ValueError:
        return
    # White space, or a digit written another way, says the same.
    assert found == manifest


@given(st.sampled_from([*json.loads(MANIFEST.encoded()), "more"]), anything)
def test_no_entry_of_a_manifest_is_believed_unseen(name, value):
    said = json.loads(MANIFEST.encoded())
    said[name] = value
    try:
        found = parse_manifest(json.dumps(said).encode(), MANIFEST.key)
    except ValueError:
        return
    assert found == MANIFEST


@given(st.binary(max_size=400) | anything.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_no_manifest_is_refused_in_one_way(content):
    for parse in (
        lambda: parse_manifest(content, MANIFEST.key),
        lambda: parse_marker(content),
        lambda: parse_latest(content),
    ):
        with pytest.raises(ValueError):
            parse()


@pytest.mark.parametrize(
    "name",
    ["../voice.toml", "/etc/passwd", "a/b.json", "..", ".hidden.json", "C:\\a.json",
     "weights.safetensors\n", "manifest.json", "x" * 300 + ".json", "run.py", "", "\x00.json"],
)  # fmt: skip
def test_no_file_of_a_checkpoint_has_such_a_name(name):
    said = json.loads(MANIFEST.encoded())
    said["files"][name] = {"size": 1, "sha256": DIGEST}
    with pytest.raises(ValueError, match=r"names the file|is not that of a checkpoint"):
        parse_manifest(json.dumps(said).encode(), MANIFEST.key)


@pytest.mark.parametrize("name", ["../../.bashrc", "lock", "text2mel/history.jsonl", "samples"])
def test_no_file_of_a_voice_has_such_a_name(name):
    said = json.loads(MANIFEST.encoded())
    said["voice_files"][name] = {"size": 1, "sha256": DIGEST}
    with pytest.raises(ValueError, match="names the file"):
        parse_manifest(json.dumps(said).encode(), MANIFEST.key)


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b'{"format": 1' + b"0" * 5000 + b"}", b" " * (MAX_BYTES + 1), b"\xff\xfe{}"],
    ids=["nested", "digits", "long", "bytes"],
)
def test_a_bomb_is_refused_like_anything_else(content):
    with pytest.raises(ValueError):
        parse_manifest(content, MANIFEST.key)
    with pytest.raises(ValueError):
        parse_marker(content)


def test_a_marker_is_read_as_it_was_written_and_leads_nowhere_else():
    assert parse_marker(MARKER.encoded()) == MARKER
    for key in ("../../text2mel", "/text2mel/step-1", "ssrn/step-000000001.0123456789abcdef"):
        said = json.loads(MARKER.encoded())
        said["newest"] = {"text2mel": key}
        with pytest.raises(ValueError):
            parse_marker(json.dumps(said).encode())


def test_what_a_marker_says_is_nothing_that_a_terminal_obeys():
    said = json.loads(MARKER.encoded())
    said["voice"] = "\x1b]0;owned\x07\ud800"
    assert parse_marker(json.dumps(said).encode()).voice.isprintable()
