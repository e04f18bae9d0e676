"""Any number and any byte of a voice's files, whatever their checksums: a sentence at most."""

import contextlib
import hashlib
import json
import logging
import math
import shutil

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.state import specs_of
from engine.errors import InputError, VoicecoachError
from engine.jobs.info import describe
from engine.jobs.say import say
from engine.mirror.layout import Latest, Manifest, Marker, encoded, parse
from engine.mirror.store import FileInfo
from engine.networks.specs import MAX_WIDTH
from engine.run.stop import MAX_STEPS, read_stored_stop
from engine.voice.check_record import load_record
from engine.voice.folder import Voice, read_corpus_report
from engine.voice.history import History
from engine.voice.samples import read_samples
from engine.voice.spend import SpendLog

ABSURD = st.sampled_from(
    [
        *(10**power for power in (9, 10, 12, 18, 30, 400)),
        *(2**31, 2**53, 2**63, 2**64, -1, -(10**12), -(10**400)),
        *(1e18, 1e300, 1e308, -1e308, 5e-324, 0.5),
        *(math.nan, math.inf, -math.inf),
        *(True, False, None, "5", "9" * 5000, [], {}),
    ]
) | st.integers(-(10**20), 10**20)


def sealed_as_it_is(state):
    """Seal a state whatever it says, its format too."""
    said = {name: value for name, value in state.items() if name != "checksum"}
    body = json.dumps(said, indent=2).removesuffix("\n}") + ",\n"
    return body + f'  "checksum": "{hashlib.sha256(body.encode()).hexdigest()}"\n}}\n'


def numbers_in(value, at=()):
    """The places of all numbers in what JSON has."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [place for key, one in pairs for place in numbers_in(one, (*at, key))]
    return [at] if isinstance(value, int | float) else []


def with_number(value, place, number):
    changed = json.loads(json.dumps(value))
    inside = changed
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = number
    return changed


def property_test(examples):
    """Many values, the same ones each time."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


@contextlib.contextmanager
def a_sentence_at_most(name=""):
    """Let the block refuse what it reads in one sentence, that names where."""
    told = name
    try:
        yield
    except VoicecoachError as error:
        told = str(error)
    assert "\n" not in told
    assert len(told) < 700
    assert name in told


@pytest.fixture
def voice(trained_voice):
    return trained_voice


def whole_state(voice):
    state = json.loads((voice.newest("text2mel").path / "state.json").read_text())
    recovery = {"rate_factor": 0.5, "rollbacks": 1, "salt": 1, "sick_step": 6}
    return {**state, "recovery": recovery}


@pytest.mark.slow
def test_no_number_of_a_state_is_a_surprise(voice):
    state, checkpoint = whole_state(voice), voice.newest("text2mel").path
    places = numbers_in(state)
    assert {place[0] for place in places} == {
        *("step", "base_step", "seed", "moments_from", "parameters", "spec", "unlogged"),
        *("format", "recovery"),
    }

    @property_test(120)
    @given(st.sampled_from(places), ABSURD)
    @example(("step",), 10**12)
    @example(("moments_from",), 10**400)
    @example(("moments_from",), 26)
    @example(("base_step",), 26)
    @example(("format",), 10**400)
    @example(("spec", "hidden"), MAX_WIDTH + 1)
    @example(("parameters",), "9" * 5000)
    def check(place, number):
        (checkpoint / "state.json").write_text(sealed_as_it_is(with_number(state, place, number)))
        for use in (load_checkpoint, lambda _: specs_of(voice)):
            with a_sentence_at_most(f"{checkpoint}"):
                use(checkpoint)
        # One that is damaged is named in what is said of the others.
        with a_sentence_at_most():
            json.dumps(describe(voice.folder))

    check()


@pytest.mark.parametrize(
    ("place", "number"),
    [(("step",), 10**400), (("format",), 0)],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.slow
def test_a_state_with_such_a_number_is_damaged(voice, training, place, number):
    checkpoint = voice.newest("text2mel").path
    state = with_number(whole_state(voice), place, number)
    (checkpoint / "state.json").write_text(sealed_as_it_is(state))
    say(voice.folder, "la")
    session = training.start(voice, "+1")
    snapshot = training.end(session)
    # The one before is used, as where a byte has changed.
    assert (session.error, snapshot.step) == (None, 6)
    assert any(f"{checkpoint.name}-damaged" in text for text in training.texts(snapshot))


@pytest.mark.slow
def test_what_a_later_version_wrote_is_not_damaged(voice, training):
    checkpoint = voice.newest("text2mel").path
    (checkpoint / "state.json").write_text(sealed_as_it_is({**whole_state(voice), "format": 3}))
    session = training.start(voice, "+1")
    assert "which a later voicecoach wrote" in training.end(session).failure
    assert checkpoint.is_dir()


@pytest.mark.slow
def test_the_largest_numbers_that_are_let_in_do_no_harm(voice, training):
    checkpoint = voice.newest("text2mel").path
    step = MAX_STEPS - 10
    state = {
        **whole_state(voice),
        "step": step,
        "base_step": step,
        "moments_from": step,
        "seed": 2**63 - 1,
        "parameters": 2**40,
        "unlogged": {"count": step, "sums": [1e30, -1e30, 1e30, 1e30]},
        "recovery": {"rate_factor": 5e-324, "rollbacks": 3, "salt": 10**6, "sick_step": MAX_STEPS},
    }
    (checkpoint / "state.json").write_text(sealed_as_it_is(state))
    checkpoint.rename(checkpoint.with_name(f"step-{step:09d}"))
    json.dumps(describe(voice.folder))
    say(voice.folder, "la")
    with pytest.raises(InputError, match="the maximum is 1,000,000,000; give fewer steps"):
        training.start(voice, "+20")
    session = training.start(voice, "+2")
    snapshot = training.end(session)
    assert (session.error, snapshot.step) == (None, step + 2)


@pytest.mark.slow
def test_no_number_in_a_small_file_is_a_surprise(voice):
    network = voice.folder / "text2mel"
    entry = {"start": "a", "end": "b", "network": "text2mel", "first_step": 1, "last_step": 2}
    entry |= {"seconds": 1.0, "price": 1.0}
    sample = {"step": 5, "sentence": "a", "file": "x.wav", "seconds": 1.0, "note": ""}
    (voice.samples / "x.wav").touch()
    files = {
        voice.corpus_report: json.loads(voice.corpus_report.read_text()),
        voice.check_record: json.loads(voice.check_record.read_text()),
        network / "history.jsonl": {"step": 3, "loss": 0.5, "held_out": 0.5},
        network / "stop.json": {"text": "+20k", "step": 20_000},
        voice.folder / "spend.jsonl": entry,
        voice.folder / "spend.open": entry,
        voice.folder / "comparisons.jsonl": {
            **{"time": 1.0, "network": "text2mel", "a": 3, "b": 5, "answer": "a", "ssrn_step": 4},
            **{"sentence": "a", "files": ["a.wav", "b.wav"]},
        },
        voice.samples / "samples.jsonl": {**sample, "original": None},
    }
    key = files[voice.check_record]["key"]
    places = [(path, place) for path, said in files.items() for place in numbers_in(said)]

    @property_test(120)
    @given(st.sampled_from(places), ABSURD)
    @example((voice.corpus_report, ("hours",)), 10**400)
    @example((network / "history.jsonl", ("step",)), 10**400)
    @example((network / "history.jsonl", ("loss",)), 1e308)
    def check(what, number):
        path, place = what
        line = json.dumps(with_number(files[path], place, number)) + "\n"
        path.write_text(f"0\n{line}" if path.name == "spend.open" else line)
        log = SpendLog(voice.folder / "spend.jsonl")
        assert math.isfinite(log.usd + log.seconds)
        assert all(math.isfinite(entry.usd) for entry in log.open_entries())
        curve = History(network / "history.jsonl", up_to=MAX_STEPS).curve
        assert all(abs(one) <= 1e30 for one in (*curve.losses, *curve.held_out))
        assert all(0 <= step <= MAX_STEPS for step in (*curve.steps, *curve.held_out_steps))
        assert all(0 <= one.step <= MAX_STEPS for one in read_samples(voice))
        load_record(voice, key)
        json.dumps(read_corpus_report(voice))
        json.dumps(describe(voice.folder))
        with a_sentence_at_most("stop.json"):
            kept = read_stored_stop(network)
            assert kept is None or kept.point.words

    check()


def test_no_number_of_a_mirror_is_a_surprise():
    marks = {name: FileInfo(5, "0" * 64) for name in ("state.json", "weights.safetensors")}
    manifest = Manifest("f" * 32, "text2mel", 5, 1, marks, {"spend.jsonl": FileInfo(5, "0" * 64)})
    latest = Latest("f" * 32, 1, manifest.voice_files)
    marker = Marker("f" * 32, "alice", "token", "writer", {"text2mel": manifest.key})
    said = {
        "manifest": (manifest, lambda content: parse(content, Manifest).key),
        "latest": (latest, lambda content: parse(content, Latest)),
        "marker": (marker, lambda content: parse(content, Marker)),
    }
    read = {name: json.loads(encoded(one)) for name, (one, _) in said.items()}
    places = [(name, place) for name, one in read.items() for place in numbers_in(one)]

    @property_test(100)
    @given(st.sampled_from(places), ABSURD)
    def check(what, number):
        name, place = what
        content = json.dumps(with_number(read[name], place, number)).encode()
        # Who reads them takes this for damaged.
        with contextlib.suppress(InputError):
            said[name][1](content)

    check()


@pytest.mark.slow
def test_whatever_byte_is_damaged_there_is_no_traceback(voice, training, tmp_path, caplog):
    files = sorted(
        path.relative_to(voice.folder)
        for path in voice.folder.rglob("*")
        if path.is_file() and not path.is_socket()
    )
    names = {path.name for path in files}
    assert names >= {"voice.toml", "state.json", "history.jsonl", "spend.jsonl", "recordings.json"}
    assert names >= {"weights.safetensors", "check.json", "corpus.json"}
    copy = tmp_path / "copy"

    @property_test(8)
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
        shutil.copytree(voice.folder, copy)
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


def damage(path, places, how):
    content = bytearray(path.read_bytes())
    if how == "cut":
        del content[int(places[0][0] * len(content)) :]
    elif how == "emptied":
        content.clear()
    for place, bits in places if how == "flipped" and content else ():
        content[int(place * len(content))] ^= bits
    path.write_bytes(content)
