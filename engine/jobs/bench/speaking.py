"""How fast a voice speaks: a frame, a sentence, and the first sound of a sample."""

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.choices import PresetName
from engine.data.clips import ClipShape, Limits
from engine.errors import Cancelled
from engine.jobs.bench.plain import PlainSSRN, PlainText2Mel, speak_plainly
from engine.jobs.bench.report import OURS, PLAIN, Ceilings, Measure, measured
from engine.jobs.bench.timing import Effort, as_auditions_do, in_turn, waiting_for
from engine.machine.device import computing_on, possible_precisions, precision_name
from engine.networks.build import build_network
from engine.networks.specs import SSRNSpec, Text2MelSpec
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.run.recipe import recipe_named
from engine.speech.bbc_synthesis import ORIGINAL_VOCODER
from engine.speech.growing import write_wav
from engine.speech.speaker import Speaker, ready_to_speak
from engine.speech.synthesizer import speak_sentence
from engine.speech.vocoder import vocode
from engine.text.vocabulary import Vocabulary
from engine.training.learner import Learner
from engine.training.throughput import noise_batch
from engine.voice.settings import VoiceSettings

# Of 3.5 seconds, at which the limit ends it: weights that have learned nothing find no end.
_FRAMES = 70
# Of the plain way, one in so many frames is timed: it takes as long as thirty or more of ours.
_EVERY = 10
_SENTENCE = "the quick answer is often not the right one, as everybody knows."
_CPU = torch.device("cpu")


class SpeakingSpeed:
    """Measures speaking on the CPU, with networks of one size and random weights."""

    def __init__(self, preset: PresetName, ceilings: Ceilings, effort: Effort) -> None:
        """Build the networks."""
        settings = VoiceSettings(preset=preset, limits=Limits(max_coarse_frames=_FRAMES))
        self._ceilings, self._effort = ceilings, effort
        specs = settings.fresh_spec("text2mel"), settings.fresh_spec("ssrn")
        assert isinstance(specs[0], Text2MelSpec)
        assert isinstance(specs[1], SSRNSpec)
        torch.manual_seed(1)
        text2mel, ssrn = (ready_to_speak(build_network(spec).eval()) for spec in specs)
        assert isinstance(text2mel, Text2Mel)
        assert isinstance(ssrn, SSRN)
        vocabulary = Vocabulary(settings.symbols)
        self._speaker = Speaker(text2mel, 0, ssrn, 0, vocabulary, settings)
        self._plain = PlainText2Mel(specs[0]).eval(), PlainSSRN(specs[1]).eval()
        self._text = torch.tensor([vocabulary.encode(_SENTENCE)])
        self._precision = possible_precisions("auto", _CPU)[0]
        self._frames = 0
        """Of the sentence that was spoken last."""
        self._plain_seconds: list[float] = []
        """What the frames took in the plain way, each time."""

    def measures(self) -> Iterator[Measure]:
        """A frame of Text2Mel, a sentence from text to WAV, and its first sound.

        The plain way has no sound before the whole sentence.
        """
        with tempfile.TemporaryDirectory(prefix="voicecoach-bench-") as folder:
            path = Path(folder) / "sentence.wav"
            ways: dict[str, Callable[[], object]] = {
                "frames": self._speak_frames,
                "sentence": lambda: self._say(path),
                "first sound": self._hear,
            }
            threads = torch.get_num_threads()
            # In one thread, which keeps what its first sentence prepares, as that of auditions.
            ways[PLAIN] = lambda: self._say_plainly(path, threads)
            times = as_auditions_do(lambda: in_turn(ways, self._effort))
        # As if the sentence had not ended early.
        whole = _FRAMES / self._frames
        times["sentence"] = [one * whole for one in times["sentence"]]
        # The warm-up's come first.
        plain = self._plain_seconds[-len(times[PLAIN]) :]
        times[PLAIN] = [a + b - b / _EVERY for a, b in zip(times[PLAIN], plain, strict=True)]
        per_frame = {
            OURS: [one / self._frames for one in times["frames"]],
            PLAIN: [one / _FRAMES for one in plain],
        }
        reading = self._seconds_to_read_weights()
        least = reading, "reading the weights on one thread"
        yield measured("text2mel frame", "frame", per_frame, ceiling=least)
        products = self._ceilings.seconds(self._ssrn_flop(), precision_name(self._precision))
        least = _FRAMES * reading + products, "reading Text2Mel's weights, SSRN's matrix products"
        seconds = _FRAMES * self._speaker.settings.audio.coarse_frame_seconds
        yield measured(
            "sentence", "sentence", times, ("sentence", PLAIN),
            ceiling=least, sound_seconds=seconds,
        )  # fmt: skip
        yield measured("first sound, in a pause", "sample", times, ("first sound", PLAIN))

    def _speak_frames(self) -> None:
        speaker = self._speaker
        limits = speaker.settings.limits
        spoken = speak_sentence(speaker.text2mel, speaker.vocabulary, limits, _SENTENCE)
        self._frames = len(spoken.mel)

    def _seconds_to_read_weights(self) -> float:
        text2mel = self._speaker.text2mel
        stacks = text2mel.audio_encoder, text2mel.audio_decoder
        weights = sum(one.numel() for stack in stacks for one in stack.parameters())
        return self._ceilings.seconds_to_move(weights * self._precision.itemsize, one_thread=True)

    def _say(self, path: Path) -> None:
        utterance = self._speaker.speak(_SENTENCE, all_cores=True)
        write_wav(path, utterance.waveform, utterance.sample_rate)

    @torch.inference_mode()
    def _say_plainly(self, path: Path, threads: int) -> None:
        audio = self._speaker.settings.audio
        text2mel, ssrn = self._plain
        with computing_on(threads):
            start = time.perf_counter()
            mel = speak_plainly(text2mel, self._text, _FRAMES, _EVERY)
            self._plain_seconds.append((time.perf_counter() - start) * _EVERY)
            magnitude = torch.sigmoid(ssrn(mel[None]))[0].T.contiguous().numpy()
            write_wav(path, vocode(magnitude, audio, ORIGINAL_VOCODER), audio.sample_rate)

    def _ssrn_flop(self) -> int:
        mel = torch.zeros(1, self._speaker.settings.audio.n_mels, _FRAMES)
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            self._plain[1](mel)
        return int(counter.get_total_flops())

    def first_sound_beside_steps(self, device: torch.device, precision: torch.dtype) -> Measure:
        """From the key to the first sound while Text2Mel trains on a device."""
        settings = self._speaker.settings
        spec, recipe = settings.fresh_spec("text2mel"), recipe_named("standard")
        learner = Learner(spec, recipe, device=device, precision=precision, seed=1)
        clips = [ClipShape(len(_SENTENCE), _FRAMES)] * recipe.batch_size
        batch = noise_batch("text2mel", clips, settings, None).staged(device)
        step = waiting_for(device, partial(learner.step, batch, 1))
        times = as_auditions_do(lambda: in_turn({OURS: self._hear}, self._effort), step)
        return measured("first sound, during training", "sample", times)

    def _hear(self) -> None:
        heard = threading.Event()
        with contextlib.suppress(Cancelled):
            self._speaker.speak(
                _SENTENCE, cancelled=heard.is_set, on_sound=lambda samples: heard.set()
            )
