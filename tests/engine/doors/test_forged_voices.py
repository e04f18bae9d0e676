"""A voice whose files were written by somebody who means harm: one sentence, or no harm."""

import json
import os
import struct

import pytest

from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.state import DamagedCheckpointError, read_state, sealed
from engine.data.corpus_changes import checksum
from engine.errors import InputError, VoicecoachError
from engine.jobs.info import describe
from engine.voice.check_record import load_record
from engine.voice.comparisons import read_comparisons
from engine.voice.folder import Voice
from engine.voice.history import History
from engine.voice.samples import read_samples
from engine.voice.spend import SpendLog

DEEP = "[" * 100_000
DIGITS = "9" * 5_000
BOMBS = [DEEP, '{"a":' * 100_000, DIGITS, "1e999", "NaN", "[NaN]", '{"step": -Infinity}', "\\ud800"]
BOMBS += ["\0" * 4096]


@pytest.fixture
def voice(make_voice):
    return make_voice(text2mel=5)


@pytest.fixture
def newest(voice):
    return voice.newest("text2mel").path


def forge(checkpoint, **changes):
    """Change a state and give it its checksum, which is no secret."""
    state = json.loads((checkpoint / "state.json").read_text())
    (checkpoint / "state.json").write_text(sealed({**state, **changes}))


def test_a_state_that_is_a_bomb_is_damaged(newest):
    for bomb in BOMBS:
        (newest / "state.json").write_text(bomb)
        with pytest.raises(DamagedCheckpointError):
            read_state(newest)


@pytest.mark.parametrize(
    "changes",
    [
        {"step": -1},
        {"seed": "one"},
        {"moments_from": {}},
        {"sha256": 5},
        {"unlogged": {"count": 3, "sums": [1, 2, float("nan")]}},
        {"corpus": "../../../../etc/passwd"},
        {"recovery": {"rate_factor": float("nan")}},
        {"recovery": {"salt": 0.5}},
        {"symbols_from": 7},
        *(
            {"spec": size}
            for size in [
                {"hidden": 2**15},
                {"vocabulary_size": 10**30},
                {"hidden": 16.0},
                {"hidden": True},
                {"epsilon": float("nan")},
                {"mask_text": 1},
                {"depth": 5},
            ]
        ),
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_a_state_that_says_nonsense_is_damaged(newest, changes):
    if "spec" in changes:
        own = json.loads((newest / "state.json").read_text())["spec"]
        changes = {"spec": {**own, **changes["spec"]}}
    forge(newest, **changes)
    with pytest.raises(VoicecoachError) as caught:
        load_checkpoint(newest)
    assert len(str(caught.value)) < 6_000


def header(tensors):
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def one(**changes):
    return header({"a": {**ENTRY, **changes}})


FORGED = {
    "header longer than the file": struct.pack("<Q", 2**40) + b"{}",
    "header longer than any": struct.pack("<Q", 2**63) + b"{}",
    "no header": b"",
    "nested": struct.pack("<Q", len(DEEP)) + DEEP.encode(),
    "offsets behind the end": one(data_offsets=[0, 2**40]) + bytes(8),
    "offsets backwards": one(data_offsets=[8, 0]) + bytes(8),
    "negative offsets": one(data_offsets=[-8, 0]) + bytes(8),
    "shape of more than there is": one(shape=[2**40]) + bytes(8),
    "shape that overflows": one(shape=[2**62, 2**62]) + bytes(8),
    "no such dtype": one(dtype="OBJECT") + bytes(8),
    "overlapping": header({"audio_decoder": ENTRY, "b": ENTRY}) + bytes(8),
    "a name that leads out": header({"../../x": ENTRY}) + bytes(8),
    # What torch.load and np.load would run.
    "pickle": b"\x80\x04cposix\nsystem\n(S'touch owned'\ntR.",
    "zip of torch": b"PK\x03\x04" + bytes(64),
    "objects of numpy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False}"
    + bytes(64),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["weights", "average", "optimizer"])
def test_forged_tensors_are_damaged(newest, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = newest / f"{name}.safetensors"
    path.touch()
    forge(newest, sha256={})
    before = sorted(tmp_path.rglob("*"))
    for kind, content in FORGED.items():
        path.write_bytes(content)
        # Moments are told by name when they are taken over.
        if (name, kind) == ("optimizer", "a name that leads out"):
            assert list(load_checkpoint(newest).optimizer) == ["../../x"]
            continue
        with pytest.raises(DamagedCheckpointError):
            load_checkpoint(newest)
    assert sorted(tmp_path.rglob("*")) == before


def test_tensors_of_holes_take_no_memory(newest):
    # A file that says how long it is, and has nothing of it.
    path, length = newest / "average.safetensors", 2**33
    entry = {"dtype": "F32", "shape": [length // 4], "data_offsets": [0, length]}
    header = json.dumps({"text_encoder.embedding.weight": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, 8 + len(header) + length)
    forge(newest, sha256={})
    with pytest.raises(DamagedCheckpointError, match="is too large for its network"):
        load_checkpoint(newest)


@pytest.mark.parametrize(
    "line",
    [
        "dataset = " + "[" * 100_000,
        "price = " + DIGITS,
        "price = nan",
        "checkpoint_every = 99999999999999999999",
        'symbols = "PE a\\u001b[2J"',
        'symbols = "' + "x" * 2_000_000 + '"',
        'id = ""',
        "audio = 5",
        "[audio]\nn_fft = 1073741824",
        "[limits]\nmax_coarse_frames = inf",
    ],
    ids=lambda line: line[:30],
)
def test_settings_that_mean_harm_are_one_sentence(voice, line):
    (voice.folder / "voice.toml").write_text(line)
    with pytest.raises(InputError, match=r"voice\.toml") as caught:
        Voice.open(voice.folder)
    assert len(str(caught.value)) < 7_000


def test_lines_that_are_bombs_are_passed_over(voice):
    lines = [*BOMBS, '{"step": 3, "loss": 0.5}', *BOMBS, ""]
    voice.samples.mkdir()
    spend = ("spend.jsonl", "spend.open")
    for place in ("text2mel/history.jsonl", *spend, "samples/samples.jsonl", "comparisons.jsonl"):
        (voice.folder / place).write_text("\n".join(lines))
    assert History(voice.history("text2mel"), up_to=5).curve.losses == (0.5,)
    assert SpendLog(voice.folder / "spend.jsonl").usd == 0
    assert read_samples(voice) == []
    assert read_comparisons(voice) == ()


def test_answers_about_more_checkpoints_than_there_can_be_take_no_memory(voice):
    same = '"network": "text2mel", "answer": "a", "sentence": "a", "files": ["a", "b"]}'
    lines = [f'{{"time": 1, "a": {step}, "b": {step + 1}, {same}' for step in range(30_000)]
    (voice.folder / "comparisons.jsonl").write_text("\n".join(lines))
    assert len(describe(voice.folder)["comparisons"]["text2mel"]) == 50


@pytest.mark.slow
def test_impossible_spend_lines_prevent_no_run(voice, training):
    honest = {"start": "a", "end": "b", "network": "text2mel", "first_step": 5, "last_step": 9}
    honest |= {"seconds": 60.0, "price": 60.0}
    forged = [{}, {"first_step": None}, {"last_step": []}, {"seconds": 1e308}, {"price": 1e308}]
    lines = [json.dumps({**honest, **changes}) for changes in forged]
    (voice.folder / "spend.jsonl").write_text("\n".join(lines) + "\n")
    session = training.start(voice, "7", price=1.0, budget=30.0)
    snapshot = training.end(session)
    assert (session.error, snapshot.step) == (None, 7)
    assert 1 < snapshot.spent < 2


@pytest.mark.parametrize(
    "changes",
    [
        {"file": "../../home/alice.wav"},
        {"file": "/etc/passwd"},
        {"file": "a\0b"},
        {"file": 5},
        {"file": "samples.jsonl", "automatic": True},
        {"original": ["x"]},
        {"step": 10**300},
        {"seconds": float("inf")},
    ],
    ids=str,
)
def test_a_list_of_samples_leads_nowhere(voice, changes, tmp_path):
    voice.samples.mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "alice.wav").touch()
    (voice.samples / "good.wav").touch()
    good = {"step": 5, "sentence": "a", "file": "good.wav", "seconds": 1.0, "note": ""}
    good["original"] = None
    lines = [json.dumps({**good, **changes}), json.dumps(good)]
    (voice.samples / "samples.jsonl").write_text("\n".join(lines))
    assert [sample.path for sample in read_samples(voice)] == [voice.samples / "good.wav"]


def test_a_report_of_a_corpus_that_is_none_is_told(voice):
    for report in (
        *BOMBS[:6],
        '{"hours": Infinity}',
        '{"left_out": 5}',
        '{"left_out": [5]}',
        '{"left_out": [{"id": {"a": 1}}]}',
        '{"clips": "many"}',
        '{"held_out": {"usd": "x"}}',
    ):
        voice.corpus_report.write_text(report)
        assert "corpus.json" in describe(voice.folder)["corpus"]["problem"], report


def test_of_a_report_only_what_is_known_is_shown(voice):
    voice.corpus_report.write_text('{"clips": 3, "usd": "[red]", "x": {"price": []}}')
    said = describe(voice.folder)["corpus"]
    assert said.pop("dataset") == str(voice.dataset)
    assert said == {"clips": 3}


def test_a_record_of_a_check_that_is_a_bomb_is_none(voice):
    reports = [f'{{"key": "k", "accepted": true, "report": {bomb}}}' for bomb in BOMBS]
    for text in (*BOMBS, *reports):
        voice.check_record.write_text(text)
        assert load_record(voice, "k") is None


@pytest.mark.slow
def test_forged_or_lost_features_are_computed_again(voice, training):
    training.end(training.start(voice, "6"))
    [path] = [p for p in voice.features.glob("*.json") if p.with_suffix(".features").exists()]
    good = json.loads(path.read_bytes())
    del good["checksum"]
    for changes in (
        {"n_bins": 10**12, "bytes": 10**15},
        {"reduction": 1},
        {"entries": [{"clip_id": "../../etc/passwd", "frames": 4}]},
        {"entries": [{"clip_id": "a", "frames": 4, "path": "/etc/passwd"}]},
        {"rejected": [[1, 2]]},
        None,
    ):
        if changes is None:
            for one in voice.features.rglob("*.json"):
                one.write_text(DEEP)
        else:
            content = {**good, **changes}
            path.write_text(json.dumps({**content, "checksum": checksum(content)}))
        session = training.start(voice, "+1")
        training.end(session)
        assert session.error is None
        assert json.loads(path.read_bytes()) == {**good, "checksum": checksum(good)}
