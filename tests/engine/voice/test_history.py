"""The losses of a run, on disk and in a few hundred points."""

import json

import pytest

from engine.errors import EngineError
from engine.run.curves import Losses
from engine.voice.history import History, held_out_losses


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.jsonl"


@pytest.fixture
def history(path):
    return History(path, up_to=0)


def entry(step, loss=1.0, held_out=None):
    return step, Losses(loss, loss / 2, loss / 2, None), 1e-3, held_out


def add(history, one):
    history.add(*one)
    history.flush()


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_next_run_has_what_was_logged(tmp_path):
    path = tmp_path / "text2mel" / "history.jsonl"
    history = History(path, up_to=0)
    for step in (10, 20, 30):
        add(history, entry(step, step / 10, held_out=9.0 if step == 20 else None))
    again = History(path, up_to=30)
    assert again.curve.steps == (10, 20, 30)
    assert again.curve.losses == (1.0, 2.0, 3.0)
    assert (again.curve.held_out_steps, again.curve.held_out) == ((20,), (9.0,))
    assert again.last_held_out == 9.0


def test_steps_that_are_made_again_are_logged_once(path):
    dead = History(path, up_to=0)
    for step in (10, 20, 30, 40):
        add(dead, entry(step, 100.0))
    alive = History(path, up_to=20)
    assert alive.curve.steps == (10, 20)
    add(alive, entry(30, 1.0))
    add(alive, entry(40, 1.0))
    again = History(path, up_to=40)
    assert again.curve.steps == (10, 20, 30, 40)
    assert again.curve.losses == (100.0, 100.0, 1.0, 1.0)
    assert [line["step"] for line in lines(path)] == [10, 20, 30, 40]


def test_a_line_that_was_cut_off_does_not_swallow_the_next(path):
    add(History(path, up_to=0), entry(10))
    with path.open("a") as file:
        file.write('{"step": 20, "lo')
    history = History(path, up_to=10)
    add(history, entry(20, 2.0))
    assert History(path, up_to=20).curve.losses == (1.0, 2.0)


def test_damaged_lines_are_passed_over(path):
    path.write_bytes(b'\xff\xfe\n[]\n{}\nnull\n{"step": "x", "loss": 1}\n{"step": 5, "loss": 2}\n')
    assert History(path, up_to=9).curve.steps == (5,)


def test_a_long_run_is_thinned_to_means(tmp_path):
    history = History(tmp_path / "history.jsonl", up_to=0)
    for step in range(1, 5001):
        history.add(*entry(step, float(step)))
    curve = history.curve
    assert 150 < len(curve.steps) < 400
    assert list(curve.steps) == sorted(curve.steps)
    assert sum(curve.losses) / len(curve.losses) == pytest.approx(2500, rel=0.02)


def test_the_newest_steps_of_a_long_run_are_not_thinned(path):
    history = History(path, up_to=0)
    for step in range(10, 200_001, 10):
        history.add(*entry(step, 1 / step))
    curve = history.curve
    assert curve.recent_steps == tuple(range(199_000, 200_001, 10))
    assert curve.recent_losses[-1] == 1 / 200_000
    assert History(path, up_to=0).curve.recent_steps == ()


def test_a_disk_that_refuses_does_not_stop_the_curve(path, history):
    path.mkdir()
    history.add(*entry(10))
    with pytest.raises(EngineError, match=r"history\.jsonl"):
        history.flush()
    assert history.curve.steps == (10,)
    with pytest.raises(EngineError, match=r"history\.jsonl"):
        History(path, up_to=0)


def test_what_the_disk_refused_is_written_later(path, history, tmp_path):
    add(history, entry(10))
    path.rename(tmp_path / "away")
    path.mkdir()
    for step in (20, 30):
        with pytest.raises(EngineError):
            add(history, entry(step))
    path.rmdir()
    (tmp_path / "away").rename(path)
    add(history, entry(40))
    assert [line["step"] for line in lines(path)] == [10, 20, 30, 40]


def test_a_rollback_removes_what_was_logged_after_it(path, history):
    for step in (10, 20, 30):
        add(history, entry(step, held_out=float(step)))
    history.note(30, "diverged")
    history.cut_back(10)
    assert history.curve.steps == (10,)
    assert history.last_held_out == 10
    history.note(30, "rolled back to 10")
    add(history, entry(20, 5.0))
    assert [line["step"] for line in lines(path)] == [10, 30, 20]
    again = History(path, up_to=40)
    assert again.curve.losses == (1.0, 5.0)
    # In the order of the steps, and the note is kept.
    assert [line["step"] for line in lines(path)] == [10, 20, 30]


def test_a_rollback_removes_what_waits_for_the_disk_too(path, history):
    add(history, entry(10))
    for step in (20, 30):
        history.add(*entry(step, float(step)))
    history.note(30, "diverged")
    history.cut_back(20)
    assert history.curve.losses == (1.0, 20.0)
    history.note(20, "rolled back")
    history.flush()
    assert [line["step"] for line in lines(path)] == [10, 20, 20]


def test_what_waits_outlasts_a_file_that_cannot_be_cut_back(path, history):
    for step in (10, 20, 30):
        history.add(*entry(step, float(step)))
    path.mkdir()
    with pytest.raises(EngineError, match="cannot be cut back"):
        history.cut_back(20)
    assert history.curve.losses == (10.0, 20.0)
    path.rmdir()
    history.flush()
    assert [line["step"] for line in lines(path)] == [10, 20]


def test_a_note_with_invalid_characters_holds_up_no_loss(path, history):
    history.note(10, "missing: stra\u00dfe-\udcff.wav")
    add(history, entry(10))
    note, logged = lines(path)
    assert note["note"] == "missing: stra\u00dfe-\\udcff.wav"
    assert logged["loss"] == 1.0
    assert "ß".encode() in path.read_bytes()


def test_make_safe_writes_all_that_was_added(path, history, monkeypatch):
    history.make_safe()
    history.add(*entry(10))
    safe = []
    monkeypatch.setattr("engine.voice.history.fsync", lambda path: safe.extend(lines(path)))
    history.make_safe()
    assert [line["step"] for line in safe] == [10]


def test_a_history_is_cut_back_on_a_full_disk(path, history, monkeypatch):
    for step in (10, 20, 30):
        add(history, entry(step))
    whole = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.voice.history.write_whole", full)
    assert History(path, up_to=20).curve.steps == (10, 20)
    assert whole.startswith(path.read_bytes())


def test_the_best_held_out_loss_follows_a_rollback(path, history):
    assert history.curve.best is None
    for step, held_out in ((100, 0.7), (200, 0.51), (300, None), (400, 0.55), (500, 0.49)):
        add(history, entry(step, held_out=held_out))
    assert (history.curve.best, history.curve.best_step) == (0.49, 500)
    again = History(path, up_to=400)
    assert (again.curve.best, again.curve.best_step) == (0.51, 200)
    again.cut_back(100)
    assert (again.curve.best, again.curve.best_step) == (0.7, 100)


def test_a_history_of_many_blocks_is_read_exactly(path):
    """Blocks without damage are decoded at once, the others line by line."""
    whole = {10 * k: 1 / k for k in range(1, 30_001)}
    raw = [
        json.dumps({"step": step, "loss": loss, "held_out": None if step % 100 else loss / 3})
        for step, loss in whole.items()
    ]
    raw.insert(25_000, '{"step":7,"loss":5}{"step":8,"loss":5}')
    raw.insert(25_001, "")
    path.write_text("\n".join(raw) + "\n")
    assert held_out_losses(path, [99, 150_000, 300_000]) == {
        150_000: whole[150_000] / 3,
        300_000: whole[300_000] / 3,
    }
    history = History(path, up_to=299_950)
    assert (history.last_step, history.curve.best_step) == (300_000, 299_900)
    assert history.curve.recent_losses[-1] == whole[299_950]
    assert path.read_text() == "\n".join(raw[:-5]) + "\n"
