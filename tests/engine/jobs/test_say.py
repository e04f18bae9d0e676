"""`say`: a text to a file, and the numbers behind it."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.data.clips import Limits
from engine.errors import InputError
from engine.jobs.export import export_voice
from engine.jobs.say import say
from engine.speech.speaker import NO_SSRN

TEXT = "Two birds sat. One flew."


@pytest.fixture
def make_voice(make_voice, tmp_path, monkeypatch):
    """Voices that come to their limit soon: with random weights they do not end by themselves."""
    # Nobody trained them here, so their samples go into the current folder.
    monkeypatch.chdir(tmp_path)
    return partial(make_voice, limits=Limits(max_coarse_frames=24))


def test_a_text_is_spoken_to_a_file_with_its_numbers(make_voice, tmp_path, small_audio):
    voice = make_voice(text2mel=871, ssrn=767)
    out, arrays = tmp_path / "hello.wav", tmp_path / "hello.npz"
    said = say(voice.folder, TEXT, out=out, arrays=arrays)
    assert (said.path, said.step, said.ssrn_step) == (out, 871, 767)
    info = soundfile.info(out)
    assert (info.samplerate, info.channels, info.subtype) == (22_050, 1, "PCM_16")
    assert info.duration == pytest.approx(said.seconds)
    with np.load(arrays) as numbers:
        assert sorted(numbers) == ["alignment", "magnitude", "mel"]
        coarse = len(numbers["mel"])
        assert numbers["mel"].shape == (coarse, small_audio.n_mels)
        assert numbers["magnitude"].shape == (4 * coarse, small_audio.n_bins)
        # Two sentences, each with its E.
        assert numbers["alignment"].shape == (len("two birds sat.E") + len("one flew.E"), coarse)
        np.testing.assert_allclose(numbers["alignment"].sum(axis=0), 1, atol=1e-5)
        for name in ("mel", "magnitude"):
            assert numbers[name].min() >= 0
            assert numbers[name].max() <= 1


@pytest.mark.slow
def test_without_out_the_voice_keeps_it(make_voice):
    voice = make_voice()
    voice.spend.path.touch()
    said = say(voice.folder, TEXT)
    assert said.path == voice.samples / "text2mel-0_no-ssrn_two-birds-sat-one-flew.wav"
    assert NO_SSRN in said.note
    assert say(voice.folder, TEXT).path != said.path


def test_an_export_is_not_written_into(make_voice, tmp_path, monkeypatch):
    export = export_voice(make_voice().folder, tmp_path / "export").folder
    before = sorted(export.rglob("*"))
    monkeypatch.chdir(tmp_path)
    assert say(export, TEXT).path == Path("text2mel-0_no-ssrn_two-birds-sat-one-flew.wav")
    assert (tmp_path / "text2mel-0_no-ssrn_two-birds-sat-one-flew.wav").is_file()
    monkeypatch.chdir(export)
    with pytest.raises(InputError, match="give --out"):
        say(Path(), TEXT)
    assert sorted(export.rglob("*")) == before


@pytest.mark.slow
def test_the_original_speaks_a_line_whole_and_at_full_length(make_voice, tmp_path, small_audio):
    voice = make_voice(ssrn=1, limits=Limits(max_characters=40, max_coarse_frames=24))
    out, arrays = tmp_path / "hello.wav", tmp_path / "hello.npz"
    said = say(voice.folder, TEXT, synthesis="bbc", out=out, arrays=arrays)
    # This voice has masks, as all have that are trained by the standard recipe.
    assert "--synthesis standard" in said.note
    with np.load(arrays) as numbers:
        assert numbers["mel"].shape == (24, small_audio.n_mels)
        assert numbers["magnitude"].shape == (96, small_audio.n_bins)
        assert numbers["alignment"].shape == (40, 24)
    text = TEXT + "\n…\nThe next line has more characters than forty. It is cut into sentences."
    say(voice.folder, text, synthesis="bbc", out=out, arrays=arrays)
    with np.load(arrays) as numbers:
        assert numbers["alignment"].shape == (4 * 40, 4 * 24)
    with pytest.raises(InputError, match="nothing to speak"):
        say(voice.folder, "…", synthesis="bbc", out=out)


def test_networks_that_do_not_fit_each_other_are_bad_input(make_voice):
    voice = make_voice(ssrn=1)
    path = voice.folder / "voice.toml"
    good = path.read_text()
    for old, new, name in (("n_fft = 512", "n_fft = 1024", "n_bins"), ("= 20", "= 40", "n_mels")):
        path.write_text(good.replace(old, new))
        with pytest.raises(InputError, match=f"do not match: .*{name}"):
            say(voice.folder, TEXT)


@pytest.mark.slow
def test_a_checkpoint_can_be_chosen_and_a_damaged_one_is_named(make_voice):
    voice = make_voice(text2mel=5, ssrn=3)
    for network, step, later in (("text2mel", 5, 7), ("ssrn", 3, 4)):
        good = load_checkpoint(voice.checkpoint_folder(network, step))
        save_checkpoint(replace(good, step=later), voice.checkpoint_folder(network, later))
    assert say(voice.folder, "Hello.").step == 7
    assert say(voice.folder, "Hello.", step=5).step == 5
    assert say(voice.folder, "Hello.", ssrn_step=3).ssrn_step == 3
    with pytest.raises(InputError, match=r"no Text2Mel checkpoint of step 6; there are 5, 7"):
        say(voice.folder, "Hello.", step=6)
    for network in ("text2mel", "ssrn"):
        (voice.newest(network).path / "weights.safetensors").write_bytes(b"")
    said = say(voice.folder, "Hello.")
    assert (said.step, said.ssrn_step) == (5, 3)
    assert "text2mel at step 5, because 7 is damaged" in said.note
    assert "ssrn at step 3, because 4 is damaged" in said.note
    # A step that was asked for is used or refused.
    with pytest.raises(InputError, match="step-000000007 is damaged"):
        say(voice.folder, "Hello.", step=7)
    (voice.checkpoint_folder("ssrn", 3) / "weights.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="step-000000004 is damaged"):
        say(voice.folder, "Hello.")


def test_an_ssrn_that_was_never_complete_is_none(make_voice):
    voice = make_voice(ssrn=3)
    # What a fetch leaves that was cut off.
    (voice.newest("ssrn").path / "state.json").unlink()
    said = say(voice.folder, "Hello.")
    assert said.ssrn_step is None
    assert NO_SSRN in said.note


def test_what_cannot_be_spoken_is_bad_input(make_voice, tmp_path):
    voice = make_voice(cleaner="plain")
    with pytest.raises(InputError, match="nothing to speak"):
        say(voice.folder, "123 ...")
    for option in ("out", "arrays"):
        with pytest.raises(InputError, match=f"--{option}"):
            say(voice.folder, TEXT, **{option: tmp_path / "nowhere" / "file"})
        with pytest.raises(InputError, match=f"--{option} .* is a folder"):
            say(voice.folder, TEXT, **{option: tmp_path})
    with pytest.raises(InputError, match=r"only WAV is written"):
        say(voice.folder, TEXT, out=tmp_path / "hello.mp3")
    with pytest.raises(InputError, match="voicecoach train"):
        say(tmp_path / "nobody", TEXT)
    mute = make_voice("mute", text2mel=None)
    with pytest.raises(InputError, match="cannot speak yet"):
        say(mute.folder, TEXT)
    with pytest.raises(InputError, match="--device"):
        say(voice.folder, TEXT, device="cuda:99")


def test_the_weights_symbols_are_read_whatever_voice_toml_says(make_voice):
    voice = make_voice()
    path = voice.folder / "voice.toml"
    path.write_text(path.read_text().replace("?,;", "?,;!0123456789"))
    assert say(voice.folder, "9 birds!").seconds > 0
