"""Auditions: samples of the voice as it is now, made while training runs."""

import logging
import threading
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.audio import load_recording
from engine.data.clips import Clip
from engine.errors import Cancelled, EngineError, VoicecoachError
from engine.machine.background import BackgroundThread
from engine.machine.device import is_out_of_memory
from engine.networks.build import network_with
from engine.networks.specs import NetworkSpec
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.run.publisher import Publisher
from engine.run.sample import Sample
from engine.run.snapshot import AttentionPlot
from engine.speech.attention_file import write_attention
from engine.speech.speaker import with_newest_ssrn
from engine.speech.utterance import level, sound_of, write_wav
from engine.speech.vocoder import VocoderSettings
from engine.voice.folder import Voice
from engine.voice.samples import append_sample, read_samples, sample_name, slug, unused_path

_log = logging.getLogger(__name__)

# Large enough for torch to share the work among all threads.
_FOR_ALL_THREADS = 2**18


class Auditions:
    """Makes samples one at a time, in its own thread, on the CPU.

    Training needs the GPU, and frame-by-frame synthesis would not use it well.
    """

    def __init__(
        self,
        voice: Voice,
        spec: NetworkSpec,
        clip: Clip,
        mel: NDArray[np.float16],
        publisher: Publisher,
    ) -> None:
        """Prepare to speak with networks of a spec, starting the thread.

        SSRN makes a held-out clip sound again, from its true coarse mel `(T / 4, n_mels)`.
        """
        self._voice = voice
        self._spec = spec
        self._clip = clip
        self._mel = mel
        self._publisher = publisher
        self._job: tuple[Mapping[str, Tensor], int, str] | None = None
        self._cancelled = threading.Event()
        for sample in read_samples(voice):
            publisher.add_sample(sample)
        self._worker = BackgroundThread("making a sample", self._work, publisher.event)
        self._worker.start()
        self._worker.request()  # without a job: see `_work`

    def begin(self, copy_weights: Callable[[], Mapping[str, Tensor]], step: int) -> None:
        """Start a sample with the weights of this moment; returns once they are copied."""
        if self._publisher.snapshot.auditioning:
            self._publisher.event("still making the previous sample", "warning")
            return
        try:
            self._job = (copy_weights(), step, self._publisher.snapshot.sentence)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._publisher.event("no sample: not enough memory for a copy of the weights", "error")
            return
        self._publisher.update(auditioning=True)
        self._worker.request()

    def close(self) -> None:
        """Give up a sample under way, and end the thread."""
        self._cancelled.set()
        self._worker.stop()

    def _work(self) -> None:
        if self._job is None:
            # OpenMP starts helper threads for this one, and ends the process where it cannot: that
            # should happen before the first step.
            torch.ones(_FOR_ALL_THREADS).mul_(2)
            return
        weights, step, sentence = self._job
        try:
            network = network_with(self._spec, weights)
            if isinstance(network, Text2Mel):
                sample = self._speak(network, step, sentence)
            else:
                sample = self._resynthesise(network, step)
            self._publisher.add_sample(sample)
            self._publisher.event(f"sample of step {step:,}: {sample.path.name}")
            self._list(sample)
        except Cancelled:
            self._publisher.event("the sample was cancelled")
        except VoicecoachError as error:
            self._publisher.event(f"no sample: {error}", "error")
        except Exception as error:
            # A sample that fails must not end the training that it listens to.
            _log.exception("audition failed")
            self._publisher.event(
                f"no sample: {type(error).__name__}: {error}; see {self._voice.log}", "error"
            )
        finally:
            self._job = None
            ended = self._publisher.snapshot.auditions + 1
            self._publisher.update(auditioning=False, auditions=ended)

    def _list(self, sample: Sample) -> None:
        try:
            self._voice.locate()
            append_sample(self._voice, sample)
        except EngineError as error:
            self._publisher.event(f"later runs will not list this sample: {error}", "warning")

    def _speak(self, text2mel: Text2Mel, step: int, sentence: str) -> Sample:
        speaker = with_newest_ssrn(self._voice, text2mel, step, self._voice.settings.symbols)
        spoken = speaker.speak(sentence, cancelled=self._cancelled.is_set)
        self._voice.make_samples()
        name = sample_name(step, speaker.ssrn_step, sentence)
        path = unused_path(self._voice.samples / name)
        write_wav(path, spoken.waveform, spoken.sample_rate)
        write_attention(path.with_suffix(".png"), spoken.attention)
        attention = spoken.attention.copy()
        attention.flags.writeable = False
        self._publisher.add_plot(AttentionPlot(step, spoken.symbols, attention, "audition"))
        return Sample(step, sentence, path, spoken.seconds, speaker.note(spoken, sentence))

    def _resynthesise(self, ssrn: SSRN, step: int) -> Sample:
        settings, clip = self._voice.settings, self._clip
        rate, vocoder = settings.audio.sample_rate, VocoderSettings(settings.sharpening)
        waveform, _ = sound_of(self._mel.astype(np.float32), ssrn, settings.audio, vocoder)
        self._voice.make_samples()
        path = unused_path(self._voice.samples / f"ssrn-{step}_{slug(clip.clip_id)}.wav")
        write_wav(path, level(waveform), rate)
        original = self._voice.samples / f"original_{slug(clip.clip_id)}.wav"
        if not original.exists():
            write_wav(original, level(load_recording(clip.path, rate)), rate)
        held_out = f"held-out {clip.clip_id}"
        return Sample(step, clip.text, path, len(waveform) / rate, held_out, original)
