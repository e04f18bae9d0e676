"""Auditions: hearing the voice as it is now, beside the training and without stopping it."""

import json
import logging
import re
import threading
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.checkpoints.checkpoint import inference_network
from engine.checkpoints.newest_good import find_newest_good
from engine.choices import NetworkName
from engine.data.audio import load_recording
from engine.data.clips import Clip
from engine.errors import Cancelled, EngineError, VoicecoachError
from engine.files import append_line, read_plain
from engine.machine.background import DiskWriter
from engine.machine.device import is_out_of_memory
from engine.networks.build import network_with
from engine.networks.specs import NetworkSpec
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.run.publisher import Publisher
from engine.run.snapshot import AttentionPlot, Sample
from engine.run.stop import MAX_STEPS
from engine.speech.attention_file import write_attention
from engine.speech.loudness import level
from engine.speech.utterance import Utterance, resynthesise, speak, write_wav
from engine.speech.vocoder import VocoderSettings
from engine.text.vocabulary import Vocabulary
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

# Of a list, and of what it says, far more than there can be.
_MAX_BYTES = 2**26
_MAX_SECONDS = 10**6
# Numbers enough for torch to share the work on them among all threads.
_FOR_ALL_THREADS = 2**18

NO_SSRN = "no SSRN yet: straight from the mel"
"""The note of a sample that was made without an SSRN."""


@dataclass(frozen=True)
class Recording:
    """A held-out recording, for SSRN auditions."""

    clip: Clip
    mel: NDArray[np.float16]
    """Its true coarse mel, `(T / 4, n_mels)`."""


class Auditions:
    """Makes samples one at a time, in a thread of its own, on the CPU.

    The GPU stays with the training, and frame-by-frame synthesis would not use it well.
    """

    def __init__(
        self,
        voice: Voice,
        network: NetworkName,
        spec: NetworkSpec,
        recording: Recording,
        publisher: Publisher,
    ) -> None:
        self._voice = voice
        self._network = network
        self._spec = spec
        self._recording = recording
        self._publisher = publisher
        self._job: tuple[Mapping[str, Tensor], int, str] | None = None
        self._ended = 0
        self._cancelled = threading.Event()
        self.sentence = voice.settings.sentence
        """What the next audition speaks."""
        for sample in read_samples(voice):
            publisher.add_sample(sample)
        self._worker = DiskWriter("a sample", self._work, publisher.event)
        self._worker.start()
        self._worker.request()  # without a job: see `_work`

    def begin(self, copy_weights: Callable[[], Mapping[str, Tensor]], step: int) -> None:
        """Start a sample with the weights of this moment; returns once they are copied."""
        if self._publisher.snapshot.auditioning:
            self._publisher.event("a sample is being made already; wait for it", "warning")
            return
        try:
            self._job = (copy_weights(), step, self.sentence)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._publisher.event("no sample: too little memory for a copy of the weights", "error")
            return
        self._publisher.update(auditioning=True)
        self._worker.request()

    def close(self) -> None:
        """Give up a sample under way, and end the thread."""
        self._cancelled.set()
        self._worker.stop()

    def _work(self) -> None:
        if self._job is None:
            # OpenMP gives this thread helpers of its own, and ends the process where the system
            # allows no more threads: if it does, then before the first step.
            torch.ones(_FOR_ALL_THREADS).mul_(2)
            return
        weights, step, sentence = self._job
        try:
            if self._network == "text2mel":
                sample = self._speak(weights, step, sentence)
            else:
                sample = self._resynthesise(weights, step)
            self._publisher.add_sample(sample)
            self._publisher.event(f"sample of step {step:,}: {sample.path.name}")
            self._list(sample)
        except Cancelled:
            self._publisher.event("the sample under way was given up")
        except VoicecoachError as error:
            self._publisher.event(f"no sample: {error}", "error")
        except Exception as error:
            # A sample that fails must not end the training that it listens to.
            _log.exception("audition failed")
            self._publisher.event(
                f"no sample: {type(error).__name__}: {error}; {self._voice.log} says where", "error"
            )
        finally:
            self._ended += 1
            self._job = None
            self._publisher.update(auditioning=False, auditions=self._ended)

    def _list(self, sample: Sample) -> None:
        try:
            self._voice.locate()
            append_sample(self._voice, sample)
        except EngineError as error:
            self._publisher.event(f"later runs will not list this sample: {error}", "warning")

    def _speak(self, weights: Mapping[str, Tensor], step: int, sentence: str) -> Sample:
        text2mel = network_with(self._spec, weights)
        assert isinstance(text2mel, Text2Mel)
        ssrn, ssrn_step, damaged = load_ssrn(self._voice)
        settings = self._voice.settings
        spoken = speak(
            sentence,
            text2mel,
            ssrn,
            self._voice.vocabulary,
            settings.audio,
            max_characters=settings.limits.max_characters,
            max_frames=settings.limits.max_coarse_frames,
            settings=VocoderSettings(sharpening=settings.sharpening),
            cancelled=self._cancelled.is_set,
        )
        self._voice.make_samples()
        path = sample_path(self._voice, step, ssrn_step, sentence)
        write_wav(path, spoken.waveform, spoken.sample_rate)
        write_attention(path.with_suffix(".png"), spoken.attention)
        symbols = "".join(part.text + "E" for part in spoken.parts)
        weights_read_only = spoken.attention.copy()
        weights_read_only.flags.writeable = False
        self._publisher.add_plot(AttentionPlot(step, symbols, weights_read_only, "audition"))
        told = listeners_note(spoken, sentence, self._voice.vocabulary)
        note = "; ".join(filter(None, (told, damaged)))
        return Sample(step, sentence, path, len(spoken.waveform) / spoken.sample_rate, note)

    def _resynthesise(self, weights: Mapping[str, Tensor], step: int) -> Sample:
        ssrn = network_with(self._spec, weights)
        assert isinstance(ssrn, SSRN)
        settings, clip = self._voice.settings, self._recording.clip
        audio = settings.audio
        sound = resynthesise(
            self._recording.mel, ssrn, audio, VocoderSettings(sharpening=settings.sharpening)
        )
        self._voice.make_samples()
        stem = f"ssrn-{step}_{slug(clip.clip_id)}"
        path = unused(self._voice.samples / f"{stem}.wav")
        write_wav(path, sound.waveform, audio.sample_rate)
        original = self._voice.samples / f"original_{slug(clip.clip_id)}.wav"
        if not original.exists():
            recording = load_recording(clip.path, audio.sample_rate)
            write_wav(original, level(recording), audio.sample_rate)
        seconds = len(sound.waveform) / audio.sample_rate
        return Sample(step, clip.text, path, seconds, f"held-out {clip.clip_id}", original)


def listeners_note(spoken: Utterance, text: str, vocabulary: Vocabulary) -> str:
    """What a listener must know of a spoken text; empty when all is well."""
    notes = []
    if unknown := " ".join(filter(partial(_is_missed, vocabulary), vocabulary.unknown(text))):
        notes.append(f"not spoken, the voice lacks them: {unknown}")
    if not spoken.ssrn:
        notes.append(NO_SSRN)
    if not spoken.finished:
        notes.append("cut short: the end of a sentence was not found")
    return "; ".join(notes)


def _is_missed(vocabulary: Vocabulary, character: str) -> bool:
    """Whether a listener misses a character for which there is no symbol.

    That is none with another in its place, and in English no quote or hyphen.
    """
    if not vocabulary.replacement(character).isspace():
        return False
    return vocabulary.cleaner == "plain" or unicodedata.category(character[0])[0] != "P"


def load_ssrn(voice: Voice) -> tuple[SSRN | None, int | None, str]:
    """Return the newest good SSRN of a voice, its step, and a note for listeners.

    Network and step are None where it has none; the note tells of newer ones that are damaged.

    Raises:
        InputError: none can be used.
    """
    found = find_newest_good(voice, "ssrn", with_optimizer=False)
    if found.checkpoint is None:
        return None, None, ""
    ssrn = inference_network(found.checkpoint)
    assert isinstance(ssrn, SSRN)
    return ssrn, found.checkpoint.step, found.note


def slug(text: str, most: int = 40) -> str:
    """A few words of a text as part of a file name."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words[:most].rstrip("-") or "sample"


def sample_path(voice: Voice, step: int, ssrn_step: int | None, sentence: str) -> Path:
    """Where a sample goes: both networks' steps and the sentence, never an existing file."""
    return unused(voice.samples / sample_name(step, ssrn_step, sentence))


def sample_name(step: int, ssrn_step: int | None, sentence: str) -> str:
    """The file name of a sample: both networks' steps and the sentence."""
    ssrn = f"_ssrn-{ssrn_step}" if ssrn_step is not None else "_no-ssrn"
    return f"text2mel-{step}{ssrn}_{slug(sentence)}.wav"


def unused(path: Path) -> Path:
    """The path, or the same with -2, -3, … where a file has it."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_stem(f"{path.stem}-{number}")
    return candidate


def append_sample(voice: Voice, sample: Sample) -> None:
    """Note a sample in `samples/samples.jsonl`, so that later runs list it.

    Raises `EngineError` when the file cannot be written.
    """
    line: dict[str, Any] = {
        "step": sample.step,
        "sentence": sample.sentence,
        "file": sample.path.name,
        "seconds": round(sample.seconds, 3),
        "note": sample.note,
        "original": sample.original.name if sample.original else None,
    }
    append_line(voice.samples / "samples.jsonl", json.dumps(line, ensure_ascii=False))


def read_samples(voice: Voice) -> list[Sample]:
    """The samples of earlier runs whose files are still there, oldest first."""
    try:
        text = read_plain(voice.samples / "samples.jsonl", _MAX_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        _log.warning("the samples of earlier runs are not listed: %s", error)
        return []
    found = []
    for line in text.split("\n"):
        try:
            said = json.loads(line)
            # Names alone: an index from elsewhere must not lead out of the folder.
            path = voice.samples / Path(said["file"]).name
            original = voice.samples / Path(said["original"]).name if said["original"] else None
            sample = Sample(
                int(said["step"]),
                str(said["sentence"]),
                path,
                float(said["seconds"]),
                str(said["note"]),
                original,
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue  # blank, or cut off by the end of a process
        sound = 0 <= sample.step <= MAX_STEPS and 0 <= sample.seconds <= _MAX_SECONDS
        if sound and path.is_file():
            found.append(sample)
    return found
