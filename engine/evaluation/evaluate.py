"""Measures checkpoints: they speak held-out texts and sentences by the same path as `say`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from time import process_time, time
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.advice.kept import resolve
from engine.checkpoints.checkpoint import Checkpoint, inference_network, load_checkpoint
from engine.checkpoints.state import EMA_FILE, WEIGHTS_FILE, read_state
from engine.choices import NetworkName
from engine.data.spectrograms import is_silent
from engine.errors import InputError
from engine.evaluation.attention_measures import measure_reading
from engine.evaluation.held_out_loss import HeldOutClip, HeldOutLoss, held_out_loss
from engine.evaluation.judges import Judges, Recording, open_judges
from engine.evaluation.material import Material, load_material, seconds_of
from engine.evaluation.sound_measures import measure_sound, mel_distortion
from engine.networks.ssrn import SSRN
from engine.run.evaluation import Evaluation, SentenceMeasures
from engine.speech.sound_stream import PAUSE_SECONDS, SoundStream
from engine.speech.speaker import Loaded, Networks, Speaker, join_networks
from engine.speech.utterance import Utterance
from engine.speech.vocoder import VocoderSettings
from engine.text.vocabulary import Vocabulary
from engine.voice.folder import Voice

_Samples = NDArray[np.float32]
_T = TypeVar("_T")


class Evaluator:
    """Evaluates checkpoints of a voice one after the other; what they share is read once."""

    def __init__(
        self,
        voice: Voice,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Read nothing yet.

        Args:
            voice: whose checkpoints are evaluated.
            on_progress: takes how many sentences of a checkpoint are measured, and of how many.
        """
        self._voice = voice
        self._on_progress = on_progress
        self._networks = Networks(voice)

    @cached_property
    def material(self) -> Material:
        """What the voice is evaluated with."""
        return load_material(self._voice)

    @cached_property
    def judges(self) -> Judges:
        """The models that listen, as far as they are installed."""
        settings = self._voice.settings
        recordings = [
            Recording(one.recording, settings.audio.sample_rate, one.clip.text)
            for one in self.material.held_out
        ]
        return open_judges(recordings, english=settings.cleaner == "english")

    def covers(self, evaluation: Evaluation) -> bool:
        """Whether an evaluation has all that could be measured now, with the SSRN of now."""
        if not {*self.judges.names} <= {*evaluation.judges}:
            return False
        newest = self._voice.newest("ssrn")
        of_now = evaluation.network == "ssrn" or newest is None
        return of_now or (newest is not None and evaluation.ssrn_step == newest.step)

    @cached_property
    def _ceilings(self) -> dict[str, float]:
        """What the recordings score themselves."""
        audio = self._voice.settings.audio
        found = [measure_sound(one.recording, audio) for one in self.material.held_out]
        own = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
        return own | self.judges.ceilings

    def evaluate(self, network: NetworkName, step: int) -> Evaluation:
        """Measure a checkpoint; its sound is not kept.

        Raises:
            InputError: there is no such checkpoint, it is damaged, or there is nothing that it
                could speak or resynthesise.
            EngineError: its weights yield numbers that are not finite.
        """
        started, now = process_time(), time()
        entry = resolve(self._voice, network, step)
        checksums = read_state(entry.path).checksums
        checkpoint = load_checkpoint(entry.path, with_optimizer=False)
        loaded = Loaded(inference_network(checkpoint), step, checkpoint.symbols)
        loss = training = self.held_out_loss(checkpoint)
        if checkpoint.ema:
            training = self.held_out_loss(replace(checkpoint, ema={}))
        if isinstance(loaded.network, SSRN):
            ssrn_step: int | None = loaded.step
            measured = self._resynthesised(loaded.network)
        else:
            ssrn = self._networks.load_if_any("ssrn")
            ssrn_step = ssrn.step if ssrn else None
            measured = self._spoken(join_networks(self._voice, loaded, ssrn))
        losses = loss.by_text if loss else {}
        sentences = tuple(_complete(one, losses) for one in measured)
        return Evaluation(
            network, step, now, sentences,
            ssrn_step=ssrn_step,
            weights=checksums.get(EMA_FILE) or checksums.get(WEIGHTS_FILE, ""),
            held_out=loss.total if loss else None,
            held_out_training=training.total if training else None,
            ceilings=self._ceilings if self.material.held_out else {},
            judges=self.judges.names,
            seconds=process_time() - started,
        )  # fmt: skip

    @cached_property
    def _texts(self) -> dict[str, HeldOutClip]:
        """The held-out clips by their texts."""
        return {one.clip.text: one for one in self.material.held_out}

    def held_out_loss(self, checkpoint: Checkpoint) -> HeldOutLoss | None:
        """The held-out loss of a checkpoint's weights that speak; None where it has none."""
        return held_out_loss(
            inference_network(checkpoint),
            self.material.held_out,
            Vocabulary(checkpoint.symbols, self._voice.settings.cleaner),
            self._voice.settings.limits,
        )

    def _spoken(self, speaker: Speaker) -> list[SentenceMeasures]:
        """What is measured of the sentences that a Text2Mel speaks."""
        sentences = self.material.sentences
        if not sentences:
            raise InputError(
                f"There is nothing that {self._voice.folder} could be evaluated with: its "
                f"recordings are not here, and voice.toml has no sentences."
            )
        utterances = speaker.speak_each(sentences)
        return [self._measure(next(utterances), text) for text in self._counted(sentences)]

    def _counted(self, items: Sequence[_T]) -> Iterator[_T]:
        """Each item, reported when it is measured."""
        for done, item in enumerate(items):
            self._on_progress(done, len(items))
            yield item
        self._on_progress(len(items), len(items))

    def _measure(self, spoken: Utterance, text: str) -> SentenceMeasures:
        """What is measured of a sentence spoken."""
        audio, clip = self._voice.settings.audio, self._texts.get(text)
        measures = measure_reading(spoken.parts, audio.coarse_frame_seconds)
        pauses = len(spoken.parts) - 1
        expected = self.material.pace.seconds(text) if self.material.pace else 0.0
        if clip is not None:
            expected = len(clip.recording) / audio.sample_rate
        if expected and not is_silent(spoken.waveform):
            seconds = seconds_of(spoken.waveform, audio) - pauses * PAUSE_SECONDS
            measures["pace"] = 100 * abs(seconds / expected - 1)
        measures |= self._listen(spoken.waveform, text, clip, pauses)
        misread = spoken.misreadings(audio)
        return SentenceMeasures(text, clip.clip.clip_id if clip else "", measures, misread)

    def _listen(
        self, waveform: _Samples, text: str, clip: HeldOutClip | None, pauses: int = 0
    ) -> dict[str, float]:
        """What is measured of a sound."""
        audio = self._voice.settings.audio
        found = measure_sound(waveform, audio, pauses, PAUSE_SECONDS)
        if clip is not None:
            found["mel_distortion"] = mel_distortion(waveform, clip.recording, audio)
        return found | self.judges.measure(waveform, audio.sample_rate, text)

    def _resynthesised(self, ssrn: SSRN) -> list[SentenceMeasures]:
        """What is measured of the held-out recordings that an SSRN resynthesises."""
        if not self.material.held_out:
            raise InputError(
                f"SSRN is evaluated with held-out recordings, and those of {self._voice.folder} "
                f"are not here."
            )
        return [self._resynthesise(ssrn, clip) for clip in self._counted(self.material.held_out)]

    def _resynthesise(self, ssrn: SSRN, clip: HeldOutClip) -> SentenceMeasures:
        settings = self._voice.settings
        stream = SoundStream(
            ssrn, settings.audio, VocoderSettings(settings.sharpening), lambda samples: None
        )
        stream.add(clip.mel, last=True)
        text = clip.clip.text
        return SentenceMeasures(text, clip.clip.clip_id, self._listen(stream.waveform, text, clip))


def _complete(sentence: SentenceMeasures, losses: Mapping[str, float]) -> SentenceMeasures:
    """Add the held-out loss; leave out what is no number, and digits that mean nothing."""
    measures = dict(sentence.measures)
    if sentence.clip_id and sentence.sentence in losses:
        measures["held_out"] = losses[sentence.sentence]
    finite = {name: float(f"{one:.6g}") for name, one in measures.items() if np.isfinite(one)}
    return replace(sentence, measures=finite)
