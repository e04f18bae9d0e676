"""An export from a stranger: it works, or one sentence says what is wrong with it.

Links, pipes, damaged bytes and forged files of any voice: `tests/engine/doors/`.
"""

import json
import re
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.checkpoints.state import sealed
from engine.errors import InputError
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


def test_symbols_that_are_no_vocabulary_are_damage(export):
    path = export / STATE
    path.write_text(sealed(json.loads(path.read_text()) | {"symbols": "english"}))
    with pytest.raises(InputError, match="damaged: The vocabulary 'english' must start with P"):
        open_speaker(Voice.open(export))
    use(export)


@FUZZ(max_examples=25)
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


@FUZZ(max_examples=12)
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
