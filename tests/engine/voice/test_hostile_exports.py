"""Exports from strangers: used if they are sound, told in one sentence if not."""

import json
import os
import shutil
import struct
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from engine.errors import InputError
from engine.exported.card import read_card
from engine.jobs.export import export_voice
from engine.networks.build import build_network
from engine.speech.speaker import Speaker, open_speaker
from engine.voice.folder import describe

FUZZ = partial(settings, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HUGE = 10**9


@pytest.fixture
def export(make_voice, tmp_path) -> Path:
    voice = make_voice(text2mel=5, ssrn=3, hidden=4)
    return export_voice(voice.folder, tmp_path / "out").folder


def edit(folder: Path, path: tuple[str | int, ...], value: object) -> None:
    """Set one field of the card."""
    card = json.loads((folder / "voice.json").read_text())
    inside = card
    for name in path[:-1]:
        inside = inside[name]
    inside[path[-1]] = value
    (folder / "voice.json").write_text(json.dumps(card))


def replace_weights(folder: Path, content: bytes, network: str = "text2mel") -> None:
    """Change the weights, and the card's checksum with them, as a forger would."""
    (folder / f"{network}.safetensors").write_bytes(content)
    edit(folder, ("networks", network, "sha256"), sha256(content).hexdigest())


@pytest.mark.parametrize(
    ("path", "value", "needed"),
    [
        (("format",), 2, "format is 2"),
        (("symbols",), "abc", "must start with P"),
        (("symbols",), "PE a\x1b[2J", "control characters"),
        (("symbols",), "PE a\ud800", "control characters"),
        (("name",), "", "name is ''"),
        (("name",), "a\nb", "control characters"),
        (("cleaner",), "french", "english, plain"),
        (("cleaner",), ["english"], "cleaner"),
        (("sharpening",), 100, "sharpening is 100"),
        (("sharpening",), float("nan"), "sharpening is nan"),
        (("audio",), 5, "audio is 5"),
        (("audio", "hop_length"), 0, r"audio\.hop_length is 0"),
        (("audio", "n_fft"), HUGE, r"audio\.n_fft is 1000000000"),
        (("audio", "win_length"), 513, r"audio\.win_length is 513"),
        (("audio", "preemphasis"), 1.0, r"audio\.preemphasis is 1\.0"),
        (("audio", "max_db"), float("inf"), r"audio\.max_db is inf"),
        (("audio", "colour"), "red", r"audio\.colour"),
        (("limits", "max_characters"), HUGE, r"limits\.max_characters"),
        (("limits", "max_coarse_frames"), HUGE, r"limits\.max_coarse_frames"),
        (("limits", "max_coarse_frames"), True, r"limits\.max_coarse_frames"),
        (("networks", "text2mel"), None, r"networks\.text2mel"),
        (("networks", "vocoder"), {}, r"networks\.vocoder"),
        (("networks", "text2mel", "spec", "hidden"), HUGE, r"text2mel\.spec\.hidden"),
        (("networks", "text2mel", "spec", "hidden"), 2**14, r"parameters is"),
        (("networks", "text2mel", "spec", "vocabulary_size"), 33, "vocabulary_size is 33"),
        (("networks", "ssrn", "spec", "n_bins"), 1025, r"ssrn\.spec\.n_bins is 1025"),
        (("networks", "ssrn", "spec", "epsilon"), 0, r"ssrn\.spec\.epsilon is 0"),
        (("networks", "text2mel", "spec", "mask_text"), 1, r"mask_text is 1"),
        (("networks", "text2mel", "file"), "../../etc/passwd", r"text2mel\.file"),
        (("networks", "text2mel", "sha256"), "0" * 63, r"text2mel\.sha256"),
        (("networks", "text2mel", "sha256"), "0" * 64, "damaged"),
        (("networks", "text2mel", "dtype"), "float64", r"text2mel\.dtype"),
        (("networks", "text2mel", "step"), -1, r"text2mel\.step is -1"),
        (("corpus", "hours"), "many", r"corpus\.hours"),
        (("corpus", "path"), "/home", r"corpus\.path"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(export, path, value, needed):
    edit(export, path, value)
    with pytest.raises(InputError, match=rf"out/(voice\.json|text2mel).*{needed}") as caught:
        open_speaker(export)
    assert len(str(caught.value)) < 400 + len(str(export))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("width", "sentence"), [(64, "cut short"), (2**14, "are not read")])
def test_sizes_are_compared_with_the_file_before_memory_is_taken(export, width, sentence):
    edit(export, ("networks", "text2mel", "spec", "hidden"), width)
    with torch.device("meta"):
        network = build_network(read_card(export).networks["text2mel"].spec)
    many = sum(tensor.numel() for tensor in network.state_dict().values())
    edit(export, ("networks", "text2mel", "parameters"), many)
    with pytest.raises(InputError, match=sentence):
        open_speaker(export)


def rewritten(export: Path, change) -> bytes:
    tensors = load_file(export / "text2mel.safetensors")
    change(tensors)
    path = export.parent / "changed.safetensors"
    save_file(tensors, path)
    return path.read_bytes()


BIAS = "audio_decoder.layers.0.norm.bias"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda tensors: tensors[BIAS].fill_(float("nan")), "not finite"),
        (lambda tensors: tensors.update({BIAS: tensors[BIAS][None].clone()}), r"should be F32 \[4"),
        (lambda tensors: tensors.update({BIAS: tensors[BIAS].int()}), "should be F32"),
        (lambda tensors: tensors.update({"more": tensors.pop(BIAS)}), f"lacks {BIAS}"),
        (lambda tensors: tensors.update(more=torch.zeros(1)), "'more', which the network has not"),
    ],
)
def test_weights_that_are_not_those_of_the_spec_are_told(export, change, sentence):
    replace_weights(export, rewritten(export, change))
    with pytest.raises(InputError, match=rf"text2mel\.safetensors.*{sentence}"):
        open_speaker(export)


def with_header(content: bytes, header: bytes) -> bytes:
    length = struct.unpack("<Q", content[:8])[0]
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


@pytest.mark.parametrize(
    "forge",
    [
        lambda content: struct.pack("<Q", 2**63) + content[8:],
        lambda content: struct.pack("<Q", len(content)) + content[8:],
        lambda content: with_header(content, b"[]"),
        lambda content: with_header(content, b"[" * 100_000),
        lambda content: with_header(content, b"\xff\xfe"),
        lambda content: content.replace(b'"data_offsets":[0,', b'"data_offsets":[9,', 1),
        lambda content: content.replace(b'"data_offsets":[0,', b'"data_offsets":"0,', 1),
    ],
)
def test_a_forged_header_is_told(export, forge):
    content = (export / "text2mel.safetensors").read_bytes()
    forged = forge(content)
    assert forged != content
    replace_weights(export, forged)
    with pytest.raises(InputError, match=r"text2mel\.safetensors"):
        open_speaker(export)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
def test_a_single_changed_bit_is_noticed(export, share):
    path = export / "ssrn.safetensors"
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"ssrn\.safetensors is damaged"):
        open_speaker(export)


def test_a_file_that_is_cut_short_or_gone_is_told(export):
    path = export / "ssrn.safetensors"
    path.write_bytes(path.read_bytes()[:1_000])
    with pytest.raises(InputError, match=r"ssrn\.safetensors has .* cut short"):
        open_speaker(export)
    path.unlink()
    with pytest.raises(InputError, match=r"Cannot read .*ssrn\.safetensors: No such file"):
        open_speaker(export)


@pytest.mark.parametrize("name", ["voice.json", "text2mel.safetensors"])
def test_links_pipes_and_folders_are_refused(export, tmp_path, name):
    path = export / name
    elsewhere = shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(elsewhere)
    with pytest.raises(InputError, match=rf"{name}.*links are not followed"):
        open_speaker(export)
    path.unlink()
    if name != "voice.json":
        os.mkfifo(path)
        with pytest.raises(InputError, match=rf"{name} is no plain file"):
            open_speaker(export)
        path.unlink()
        path.mkdir()
        with pytest.raises(InputError, match=rf"{name}"):
            open_speaker(export)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"{", b"[]", b"5", b"[" * 200_000, b"9" * 10_000, b" " * (2**20 + 1)],
    ids=["empty", "no text", "open", "list", "number", "deep", "long number", "large"],
)
def test_a_card_that_is_none_is_told(export, content):
    (export / "voice.json").write_bytes(content)
    for use in (open_speaker, describe):
        with pytest.raises(InputError, match=r"voice\.json"):
            use(export)


def places(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all fields of a card but its notes."""
    if not isinstance(value, dict):
        return [path]
    inside = (places(item, (*path, name)) for name, item in value.items() if name != "layout")
    return [path, *(found for paths in inside for found in paths)]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, -1, 2**31, 2**63, 10**30, 1e-320, 1e308, "english", "float16"])
    | st.floats()
    | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=4,
)


def used_or_told(folder: Path) -> None:
    """Both ways into an export: each works or tells what is wrong in one sentence."""
    for use, kind in ((open_speaker, Speaker), (describe, dict)):
        try:
            assert isinstance(use(folder), kind)
        except InputError as error:
            assert str(error).isprintable()  # noqa: PT017 - either way is right
            assert str(folder) in str(error)  # noqa: PT017


@FUZZ(max_examples=80)
@given(data=st.data())
def test_a_card_with_any_field_changed_is_used_or_told(export, data):
    good = (export / "voice.json").read_bytes()
    card = json.loads(good)
    path = data.draw(st.sampled_from([path for path in places(card) if path]))
    inside = card
    for name in path[:-1]:
        inside = inside[name]
    if data.draw(st.booleans()):
        inside[path[-1]] = data.draw(JSON)
    else:
        del inside[path[-1]]
    try:
        (export / "voice.json").write_text(json.dumps(card), encoding="utf-8")
        used_or_told(export)
    finally:
        (export / "voice.json").write_bytes(good)


@FUZZ(max_examples=80)
@given(data=st.data())
def test_a_card_with_any_bytes_changed_is_used_or_told(export, data):
    good = (export / "voice.json").read_bytes()
    # The notes at the end may say anything.
    start = data.draw(st.integers(0, good.index(b'"layout"')))
    end = data.draw(st.integers(start, min(len(good), start + 9)))
    try:
        (export / "voice.json").write_bytes(good[:start] + data.draw(st.binary()) + good[end:])
        used_or_told(export)
    finally:
        (export / "voice.json").write_bytes(good)


@FUZZ(max_examples=40)
@given(data=st.data())
def test_weights_with_any_bytes_of_the_header_changed_are_used_or_told(export, data):
    card, good = ((export / name).read_bytes() for name in ("voice.json", "text2mel.safetensors"))
    length = struct.unpack("<Q", good[:8])[0]
    start = data.draw(st.integers(0, 8 + length))
    end = data.draw(st.integers(start, start + 9))
    content = good[:start] + data.draw(st.binary(max_size=20)) + good[end:]
    try:
        replace_weights(export, content)
        used_or_told(export)
    finally:
        (export / "voice.json").write_bytes(card)
        (export / "text2mel.safetensors").write_bytes(good)
