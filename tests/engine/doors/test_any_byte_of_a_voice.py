"""Any byte of any file of a voice: it is described, it speaks and it trains on, or a sentence."""

import contextlib
import logging
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import VoicecoachError
from engine.jobs.info import describe
from engine.jobs.say import say
from engine.voice.folder import Voice


@contextlib.contextmanager
def a_sentence_at_most():
    told = ""
    try:
        yield
    except VoicecoachError as error:
        told = str(error)
    assert "\n" not in told


def damage(path, places, how):
    content = bytearray(path.read_bytes())
    if how == "cut":
        del content[int(places[0][0] * len(content)) :]
    elif how == "emptied":
        content.clear()
    for place, bits in places if how == "flipped" and content else ():
        content[int(place * len(content))] ^= bits
    path.write_bytes(content)


@pytest.mark.slow
def test_whatever_is_damaged_there_is_no_traceback(trained_voice, training, tmp_path, caplog):
    files = sorted(
        path.relative_to(trained_voice.folder)
        for path in trained_voice.folder.rglob("*")
        if path.is_file() and not path.is_socket()
    )
    names = {path.name for path in files}
    assert names >= {"voice.toml", "state.json", "history.jsonl", "spend.jsonl", "recordings.json"}
    assert names >= {"weights.safetensors", "check.json", "corpus.json"}
    copy = tmp_path / "copy"

    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        st.sampled_from(files),
        st.lists(
            st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
            min_size=1,
            max_size=3,
        ),
        st.sampled_from(["flipped", "flipped", "flipped", "cut", "emptied"]),
    )
    def check(name, places, how):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(trained_voice.folder, copy)
        damage(copy / name, places, how)
        caplog.clear()
        for use in (describe, lambda folder: say(folder, "la"), Voice.open):
            with a_sentence_at_most():
                use(copy)
        session = None
        with a_sentence_at_most():
            session = training.start(copy, "+1")
        if session is None:
            return
        snapshot = training.end(session)
        assert session.error is None or isinstance(session.error, VoicecoachError)
        assert "\n" not in snapshot.failure
        assert not [one for one in caplog.records if one.levelno >= logging.ERROR and one.exc_info]

    check()
