"""What checkpoints speak for a report, where they have not spoken it before."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from engine.data.audio import load_recording
from engine.data.clips import find_recording
from engine.evaluation.blind_test import held_out_rows
from engine.jobs.report import SpokenSentence
from engine.machine.device import compute_on_one_thread
from engine.run.sample import Sample
from engine.speech.growing import write_wav
from engine.speech.loudness import level
from engine.speech.speaker import Speaker, open_speaker
from engine.voice.folder import Voice

_SENTENCES = 3
"""Of every checkpoint; each takes a second or two."""


def spoken_by(
    voice: Voice, known: Sequence[SpokenSentence], steps: Iterable[int], folder: Path
) -> list[SpokenSentence]:
    """Have checkpoints of Text2Mel speak the first sentences where they have not spoken them.

    The sentences are those with a recording, or else held-out clips, or what the voice speaks.

    Args:
        voice: the voice.
        known: the sentences of which there are samples.
        steps: which checkpoints.
        folder: where the sounds go.

    Returns:
        All sentences, those with most recordings first.

    Raises:
        InputError: a checkpoint is damaged, or cannot speak.
        EngineError: a sound cannot be written.
    """
    wanted = [one for one in known if one.original] or _held_out(voice, folder) or list(known)
    wanted = wanted or [SpokenSentence(one, None, ()) for one in voice.settings.sentences]
    sentences = {one.sentence: one for one in (*wanted[:_SENTENCES], *known)}
    for step in steps:
        lacking = [
            one
            for one in wanted[:_SENTENCES]
            if all(sample.step != step for sample in sentences[one.sentence].samples)
        ]
        if lacking:
            compute_on_one_thread()
            speaker = open_speaker(voice, step)
        for one in lacking:
            sample = _speak(speaker, one.sentence, folder / f"{step}-{len(list(folder.iterdir()))}")
            sentences[one.sentence] = _with(sentences[one.sentence], sample)
    return list(sentences.values())


def _held_out(voice: Voice, folder: Path) -> list[SpokenSentence]:
    """Held-out clips whose recordings are on this machine, as loud as samples are."""
    found: list[SpokenSentence] = []
    rate = voice.settings.audio.sample_rate
    for row in held_out_rows(voice):
        recording = find_recording(voice.dataset, row.clip_id)
        if recording and len(found) < _SENTENCES:
            original = folder / f"recording-{len(found)}.wav"
            write_wav(original, level(load_recording(recording, rate)), rate)
            found.append(SpokenSentence(row.text, original, ()))
    return found


def _speak(speaker: Speaker, sentence: str, place: Path) -> Sample:
    spoken = speaker.speak(sentence)
    path = place.with_suffix(".wav")
    write_wav(path, spoken.waveform, spoken.sample_rate)
    return Sample(
        step=speaker.step,
        sentence=sentence,
        path=path,
        seconds=spoken.seconds,
        note=speaker.note(spoken, sentence),
        ssrn_step=speaker.ssrn_step,
        time=time.time(),
        misreadings=spoken.misreadings(speaker.settings.audio),
    )


def _with(sentence: SpokenSentence, sample: Sample) -> SpokenSentence:
    samples = sorted((*sentence.samples, sample), key=lambda one: one.step)
    return replace(sentence, samples=tuple(samples))
