"""`evaluation.jsonl`: which evaluations count."""

from dataclasses import replace
from datetime import datetime

import pytest

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.checkpoints.state import EMA_FILE, WEIGHTS_FILE, read_state
from engine.errors import InputError
from engine.run.evaluation import Evaluation, Misreading, SentenceMeasures
from engine.voice.evaluations import LIST, append_evaluation, read_evaluations

MISREAD = Misreading("skipped", "birch", 4, 9, 0.8, 0.8)
SENTENCES = (SentenceMeasures("The birch.", "one", {"focus": 0.75}, (MISREAD,)),)


def save(voice, step, **changes):
    """Save a checkpoint with other weights; return the evaluation of it as it is now."""
    first = load_checkpoint(voice.checkpoints("text2mel")[0].path)
    weights = {name: tensor + step / 1e3 for name, tensor in first.weights.items()}
    changed = replace(first, step=step, weights=weights, ema={}, **changes)
    save_checkpoint(changed, voice.checkpoint_folder("text2mel", step))
    state = read_state(voice.checkpoint_folder("text2mel", step))
    weights = state.checksums.get(EMA_FILE) or state.checksums[WEIGHTS_FILE]
    saved = datetime.fromisoformat(state.saved).timestamp()
    return Evaluation("text2mel", step, saved + 1, SENTENCES, weights=weights, held_out=0.5)


def steps(voice):
    return [one.step for one in read_evaluations(voice, "text2mel")]


def test_the_newest_evaluation_of_each_step_counts(make_voice):
    voice = make_voice()
    assert read_evaluations(voice, "text2mel") == ()
    later, earlier = save(voice, 20), save(voice, 10)
    for one in (later, earlier, replace(earlier, held_out=0.4)):
        append_evaluation(voice, one)
    with (voice.folder / LIST).open("a") as file:
        file.write('[]\n{"network": "text2mel", "step": 30, "ti\n\n')
        file.write('{"network":"text2mel","step":-1,"time":1,"sentences":[]}\n')
    assert read_evaluations(voice, "text2mel") == (replace(earlier, held_out=0.4), later)
    assert read_evaluations(voice, "ssrn") == ()


def test_evaluations_of_weights_taken_back_do_not_count(make_voice):
    voice = make_voice()
    kept, made_again, pruned, taken_back = (save(voice, step) for step in (10, 20, 30, 50))
    newest = save(voice, 40)
    for one in (kept, replace(made_again, weights="other"), pruned, newest, taken_back):
        append_evaluation(voice, one)
    for step in (30, 50):
        voice.checkpoint_folder("text2mel", step).rename(voice.folder / f"gone-{step}")
    assert steps(voice) == [10, 30, 40]
    # Where no checksum tells, the time does: what was saved later was made again.
    older = [replace(one, weights="", time=one.time - 60) for one in (kept, newest)]
    for one in older:
        append_evaluation(voice, one)
    append_evaluation(voice, replace(pruned, time=pruned.time - 60))
    assert steps(voice) == []


def test_a_file_that_is_no_list_is_refused_in_a_sentence(make_voice):
    voice = make_voice()
    (voice.folder / LIST).mkdir()
    with pytest.raises(InputError, match=r"evaluation.jsonl cannot be read: .*; move the file"):
        read_evaluations(voice, "text2mel")
