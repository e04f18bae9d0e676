"""An export from a stranger: it works, or one sentence says what is wrong with it.

`tests/engine/doors/test_forged_voices.py` forges single files of any voice.
"""

import json
import os
import re
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.checkpoints.state import sealed
from engine.errors import InputError, VoicecoachError
from engine.jobs.export import export_voice
from engine.jobs.info import describe
from engine.jobs.say import say
from engine.speech.speaker import Speaker, open_speaker
from engine.voice.folder import Voice

FUZZ = partial(settings, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WEIGHTS = "text2mel/checkpoints/step-000000005/weights.safetensors"
STATE = "text2mel/checkpoints/step-000000005/state.json"


@pytest.fixture
def export(make_voice, tmp_path):
    voice = make_voice(text2mel=5, ssrn=3, hidden=4)
    return export_voice(voice.folder, tmp_path / "out").folder


def use(folder):
    """Both ways into an export: each works or says what is wrong in one sentence."""
    for way, kind in ((lambda: open_speaker(Voice.open(folder)), Speaker), (None, dict)):
        try:
            assert isinstance(way() if way else describe(folder), kind)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either way is right
            assert str(folder) in str(error)  # noqa: PT017


@pytest.mark.parametrize("name", ["voice.toml", WEIGHTS, STATE])
def test_links_and_pipes_are_refused(export, tmp_path, name):
    path = export / name
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="it is a link"):
        open_speaker(Voice.open(export))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="not a plain file"):
        open_speaker(Voice.open(export))


def test_samples_behind_a_link_are_not_written(export, tmp_path):
    (tmp_path / "home").mkdir()
    (export / "samples").symlink_to(tmp_path / "home")
    with pytest.raises(VoicecoachError, match="it is a link"):
        say(export, "Go.")
    assert not list((tmp_path / "home").iterdir())


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_changed_bit_is_noticed(export, share):
    content = bytearray((export / WEIGHTS).read_bytes())
    content[int(share * len(content))] ^= 1
    (export / WEIGHTS).write_bytes(content)
    with pytest.raises(InputError, match=r"weights\.safetensors is not as it was written"):
        open_speaker(Voice.open(export))


def test_sizes_larger_than_the_file_take_no_memory(export):
    state = json.loads((export / STATE).read_text())
    state["spec"]["hidden"] = 2**13
    (export / STATE).write_text(sealed(state))
    with pytest.raises(InputError, match="does not fit the sizes"):
        open_speaker(Voice.open(export))


def places(value, path=()):
    if not isinstance(value, dict):
        return [path]
    return [path, *(place for name in value for place in places(value[name], (*path, name)))]


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


@FUZZ(max_examples=40)
@given(data=st.data())
@pytest.mark.slow
def test_any_field_of_a_state_may_be_forged(export, data):
    path = export / STATE
    good = path.read_text()
    state = json.loads(good)
    place = data.draw(st.sampled_from([place for place in places(state) if place]))
    inside = state
    for name in place[:-1]:
        inside = inside[name]
    if data.draw(st.booleans()):
        inside[place[-1]] = data.draw(JSON)
    else:
        del inside[place[-1]]
    try:
        path.write_text(sealed(state), errors="surrogatepass")
        use(export)
    finally:
        path.write_text(good)


@FUZZ(max_examples=30)
@given(data=st.data())
@pytest.mark.slow
@pytest.mark.parametrize("name", ["voice.toml", WEIGHTS])
def test_any_bytes_of_a_file_may_be_forged(export, name, data):
    """With the checksum of the weights as a forger would write it."""
    path, good = export / name, (export / name).read_bytes()
    start = data.draw(st.integers(0, min(len(good), 4000)))
    end = data.draw(st.integers(start, start + 9))
    state = json.loads((export / STATE).read_text())
    try:
        (export / STATE).write_text(sealed({**state, "sha256": {}}))
        path.write_bytes(good[:start] + data.draw(st.binary(max_size=20)) + good[end:])
        use(export)
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("max_characters", 10**9),
        ("max_coarse_frames", 10**9),
        ("sample_rate", 10**9),
        ("preemphasis", 1.0),
        ("max_db", 1e30),
        ("sharpening", 100.0),
    ],
)
def test_settings_beyond_any_machine_are_named(export, setting, value):
    path = export / "voice.toml"
    path.write_text(re.sub(rf"(?m)^{setting} = .*", f"{setting} = {value}", path.read_text()))
    with pytest.raises(InputError, match=rf"voice\.toml.*{setting}"):
        say(export, "Go.")
