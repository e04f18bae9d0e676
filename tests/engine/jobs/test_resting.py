"""A voice that no run trains shows its samples, speaks, and follows its folder."""

import threading
import time

import pytest

from engine.errors import InputError
from engine.jobs.resting import RestingVoice
from engine.run.commands import Audition, MarkHeard, Pause
from engine.run.evaluation import Evaluation, SentenceMeasures
from engine.run.sample import Sample
from engine.speech.growing import growing_path
from engine.voice.evaluations import append_evaluation
from engine.voice.samples import append_sample, read_samples


@pytest.mark.slow
def test_voice_without_a_run_speaks_with_any_checkpoint(make_voice):
    voice = make_voice(text2mel=5, ssrn=4)
    heard, ended = [], threading.Event()

    def on_change() -> None:
        speaking = resting.snapshot().speaking
        if speaking is None:
            ended.set()
        else:
            heard.append(growing_path(speaking.path).exists())

    resting = RestingVoice(voice.folder, on_change)
    assert [one.step for one in resting.snapshot().checkpoints] == [5, 4]
    # A person may click twice while torch is being loaded.
    asked = Audition("Two birds.", step=5)
    clicks = [threading.Thread(target=resting.send, args=(asked,)) for _ in range(3)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    assert [one.name for one in threading.enumerate()].count("making a sample") == 1
    assert ended.wait(60)
    resting.close()
    [sample] = resting.snapshot().samples
    assert (sample.step, sample.ssrn_step, sample.sentence) == (5, 4, "Two birds.")
    assert sample.path.exists()
    assert heard == [True]

    again = RestingVoice(voice.folder, lambda: None, last=resting.snapshot())
    assert [one.path for one in again.snapshot().samples] == [sample.path]
    again.send(MarkHeard(sample.path.name))
    assert again.snapshot().samples[0].heard
    assert read_samples(voice)[0].heard


def test_resting_voice_follows_its_folder(make_voice):
    voice = make_voice(text2mel=5)
    resting = RestingVoice(voice.folder, lambda: None)
    assert resting.snapshot().samples == ()
    voice.make_samples()
    path = voice.samples / "text2mel-5_no-ssrn_go.wav"
    path.write_bytes(b"RIFF")
    append_sample(voice, Sample(5, "Go.", path, 1.0, ""))
    resting.refresh()
    assert [sample.path for sample in resting.snapshot().samples] == [path]
    assert resting.snapshot().scores == ()
    spoken = SentenceMeasures("Go.", measures={"skipped": 25.0})
    append_evaluation(voice, Evaluation("text2mel", 5, time.time(), (spoken,), held_out=0.5))
    resting.refresh()
    [scores] = resting.snapshot().scores
    assert scores.scores["skipped"].mean == 25.0
    assert resting.snapshot().recommended.step == 5
    with pytest.raises(InputError, match="No run trains"):
        resting.send(Pause())
