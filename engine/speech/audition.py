"""Auditions: samples of the voice, made in the background, also while it is being trained."""

import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, thread_time, time

import msgspec
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.choices import NETWORK_TITLES, NetworkName
from engine.data.audio import load_recording
from engine.data.features import FeatureStore
from engine.errors import Cancelled, EngineError, VoicecoachError
from engine.machine.background import BackgroundThread
from engine.machine.device import compute_on_one_thread, is_out_of_memory
from engine.networks.build import network_with
from engine.networks.ssrn import SSRN
from engine.run.commands import Audition
from engine.run.curves import AttentionPlot
from engine.run.publisher import Publisher
from engine.run.sample import Sample, Speaking, StepChoice
from engine.run.snapshot import Phase
from engine.speech.attention_file import write_attention
from engine.speech.growing import GrowingWav, write_wav
from engine.speech.in_training import NetworkInTraining
from engine.speech.loudness import level
from engine.speech.sample_list import SampleList
from engine.speech.sound_stream import SoundStream
from engine.speech.speaker import Loaded, Networks, join_networks, ready_to_speak
from engine.speech.vocoder import VocoderSettings
from engine.voice.folder import Voice
from engine.voice.samples import sample_name, slug, unused_path

_log = logging.getLogger(__name__)

# Samples that wait for their turn; nobody listens to more.
_MAX_WAITING = 8
# Coarse frames of a recording that are resynthesised together, but for the first few.
_FRAMES_AT_ONCE = 20


class Auditions:
    """Makes samples one at a time, in its own thread, on the CPU.

    Training needs the GPU, and frame-by-frame synthesis would not use it well.
    """

    def __init__(
        self, voice: Voice, publisher: Publisher, training: Sequence[NetworkInTraining] = ()
    ) -> None:
        """Start the thread. Where a network is not in training, its checkpoints on disk speak."""
        self._voice = voice
        self._publisher = publisher
        self._training: dict[NetworkName, NetworkInTraining] = {}
        self._networks = Networks(voice)
        self._weights: dict[NetworkName, Mapping[str, Tensor]] = {}
        self._ready = False
        self._store: FeatureStore | None = None
        self._recordings: dict[str, int] = {}
        for one in training:
            self.take_network(one)
        self._turn = threading.Lock()
        self._asked: deque[Audition] = deque()
        self._automatic: deque[Audition] = deque()
        self._current: Audition | None = None
        self._give_way = threading.Event()
        self._closing = threading.Event()
        self._samples = SampleList(voice, publisher)
        self.automatic_seconds = 0.0
        """What automatic samples have cost training at most, in seconds."""
        self._reported: set[str] = set()
        self._refusals: set[str] = set()
        """What was answered since the last sample ended: a browser may ask a hundred times."""
        self._worker = BackgroundThread("making a sample", self._work, publisher.event)
        self._worker.start()
        self._worker.request()  # see `_get_ready`

    def take_network(self, training: NetworkInTraining) -> None:
        """Have a network speak from here on that is being trained."""
        if self._store is None:
            self._store, self._recordings = training.store, training.by_text()
        self._training = {**self._training, training.name: training}

    @property
    def open(self) -> bool:
        """Whether its thread takes requests; without one, `request` speaks where it is called."""
        return self._worker.running and not self._closing.is_set()

    @property
    def idle(self) -> bool:
        """Whether nothing is being spoken, or waits for that."""
        return not (self._current or self._asked or self._automatic)

    def request(self, command: Audition) -> None:
        """Have a sentence spoken soon; any thread may call it, and it never waits.

        What a person asks for comes first, in the order in which they did: an automatic sample
        under way is begun anew after it, unless it is nearly done.
        """
        sentence = command.sentence or self._publisher.snapshot.sentence
        network, automatic = command.network or self._own_network, command.automatic
        wanted = msgspec.structs.replace(command, sentence=sentence, network=network)
        with self._turn:
            queue = self._automatic if automatic else self._asked
            if wanted in queue or wanted == self._current:
                refusal = "this sentence is being spoken already"
            elif len(queue) >= _MAX_WAITING and not automatic:
                refusal = f"{len(queue)} samples are still waiting to be spoken"
            else:
                refusal = ""
                queue.append(wanted)
                if not automatic and self._current and self._current.automatic:
                    self._give_way.set()
                self._publisher.update(auditioning=True)
            told = automatic or refusal in self._refusals
            self._refusals.add(refusal)
        if not refusal:
            self._worker.request()
        elif not told:
            self._publisher.event(refusal, "warning")

    def drop_automatic(self) -> None:
        """Forget the automatic samples that were not begun."""
        with self._turn:
            self._automatic.clear()

    def mark_heard(self, file: str) -> None:
        """Note that somebody has played the sample of this name; any thread may call it."""
        if self._samples.mark_heard(file):
            self._worker.request()

    def close(self) -> None:
        """Give up what is under way and what waits, and end the thread."""
        self._closing.set()
        self._worker.stop()

    # What follows runs in the thread.

    def _work(self) -> None:
        if not self._ready:
            self._ready = True
            self._get_ready()
        self._samples.write_marks()
        while (request := self._next()) is not None:
            started, on_core = monotonic(), thread_time()
            try:
                self._make(request)
            finally:
                # Time on a core; where others take the cores, training loses half of the whole
                # time (measured): a thread that waits for one may hold the interpreter's lock.
                cost = max(thread_time() - on_core, (monotonic() - started) / 2)
                self._end_turn(request, cost)

    def _get_ready(self) -> None:
        """Load what most samples need, for the first to be heard as soon as later ones."""
        if self._worker.running:  # or else this is the thread that trains
            compute_on_one_thread()
        try:
            self._load(Audition(network=self._own_network))
        except VoicecoachError as error:
            _log.info("nothing can be spoken yet: %s", error)  # told whoever asks for a sample

    def _next(self) -> Audition | None:
        with self._turn:
            queue = self._asked or self._automatic
            waits = bool(queue) and not self._closing.is_set()
            self._current = queue.popleft() if waits else None
            self._give_way.clear()
            self._publisher.update(auditioning=waits)
            return self._current

    def _end_turn(self, request: Audition, seconds: float) -> None:
        with self._turn:
            self.automatic_seconds += seconds * request.automatic
            self._current = None
            self._refusals.clear()
        ended = self._publisher.snapshot.auditions + (not request.automatic)
        self._publisher.update(speaking=None, auditions=ended)

    def _must_stop(self) -> bool:
        return self._closing.is_set() or self._give_way.is_set()

    def _make(self, request: Audition) -> None:
        try:
            sample = self._speak(request)
            self._samples.add(sample)
            if not (request.automatic or request.for_comparison):
                self._publisher.event(f"{NETWORK_TITLES[sample.network]} sample at {sample.step:,}")
        except Cancelled:
            self._postpone(request)
        except VoicecoachError as error:
            self._report(request, f"no sample: {error}")
        except Exception as error:
            # A sample that fails must not end the training that it listens to.
            _log.exception("audition failed")
            text = f"no sample: {type(error).__name__}: {error}; see {self._voice.log}"
            self._report(request, text)

    def _postpone(self, request: Audition) -> None:
        """Have an automatic sample that gave way begun anew, once its turn comes again."""
        if self._closing.is_set():
            if not request.automatic:
                self._publisher.event("the sample was cancelled")
            return
        with self._turn:
            self._automatic.appendleft(request)

    def _report(self, request: Audition, text: str) -> None:
        """Say why there is no sample; of the series, which tries again and again, each once."""
        # The same trouble at another step, or with other figures, is not reported again.
        kind = re.sub(r"[0-9.,]+", "", text)
        if not (request.automatic and kind in self._reported):
            self._publisher.event(text, "error")
        if request.automatic:
            self._reported.add(kind)

    def _speak(self, request: Audition) -> Sample:
        text2mel, ssrn = self._load(request)
        steps = (None if one is None else one.step for one in (text2mel, ssrn))
        # A blind test looks itself for what there is.
        if not request.for_comparison and (
            same := self._samples.find_same(request.sentence, *steps)
        ):
            automatic = request.automatic and (same.automatic or same.for_comparison)
            # By its time whoever asked knows it for the answer.
            now = same.time if request.automatic else time()
            return replace(same, automatic=automatic, for_comparison=False, time=now)
        if text2mel is not None:
            return self._speak_text(request, text2mel, ssrn)
        assert ssrn is not None
        return self._resynthesise(request, ssrn)

    def _load(self, request: Audition) -> tuple[Loaded | None, Loaded | None]:
        """Load what the request needs: Text2Mel, unless a recording is resynthesised, and SSRN."""
        if request.network != "ssrn":
            text2mel = self._network("text2mel", request.step)
            if request.step is request.ssrn_step is None and "ssrn" in self._training:
                return text2mel, self._network("ssrn", None)  # both as they are at this moment
            return text2mel, self._networks.load_if_any("ssrn", request.ssrn_step)
        ssrn = self._network("ssrn", request.ssrn_step)
        recorded = request.step is None and self._recording_of(request.sentence) is not None
        return None if recorded else self._networks.load("text2mel", request.step), ssrn

    def _network(self, network: NetworkName, choice: StepChoice | None) -> Loaded:
        """Return the network that a run trains as it is at this moment, or as a checkpoint has it.

        Of a voice that is not being trained, this moment is the newest checkpoint.
        """
        training = self._training.get(network)
        if training is None or choice is not None:
            return self._networks.load(network, choice)
        try:
            step, weights = training.copy_weights(self._weights.get(network))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise EngineError("not enough memory for a copy of the weights") from error
        self._weights[network] = weights
        return Loaded(ready_to_speak(network_with(training.spec, weights)), step, training.symbols)

    @property
    def _own_network(self) -> NetworkName:
        return "ssrn" if self._training.keys() == {"ssrn"} else "text2mel"

    def _recording_of(self, sentence: str) -> int | None:
        """The held-out clip that a sentence is the text of, by its number in the store."""
        return self._recordings.get(self._voice.vocabulary.clean(sentence))

    def _speak_text(self, request: Audition, text2mel: Loaded, ssrn: Loaded | None) -> Sample:
        sentence, step = request.sentence, text2mel.step
        speaker = join_networks(self._voice, text2mel, ssrn)
        path = self._place(sample_name(step, speaker.ssrn_step, sentence))
        with self._growing(request, step, path) as on_sound:
            free = self._publisher.snapshot.phase is not Phase.TRAINING  # steps want all cores
            spoken = speaker.speak(sentence, "standard", self._must_stop, on_sound, all_cores=free)
            write_attention(path.with_suffix(".png"), spoken.attention)
        misread = spoken.misreadings(self._voice.settings.audio)
        if request.step is None and not request.automatic:
            spoken.attention.flags.writeable = False
            plot = AttentionPlot(step, spoken.symbols, spoken.attention, "audition", misread)
            self._publisher.add_plot(plot)
        sample = Sample(step, sentence, path, spoken.seconds, speaker.note(spoken, sentence))
        return replace(
            sample, original=self._original_of(sentence), ssrn_step=speaker.ssrn_step,
            automatic=request.automatic, time=time(),
            for_comparison=request.for_comparison, misreadings=misread,
        )  # fmt: skip

    def _resynthesise(self, request: Audition, ssrn: Loaded) -> Sample:
        """Resynthesise a held-out clip from its true coarse mel."""
        store, number = self._store, self._recording_of(request.sentence)
        assert store is not None
        assert number is not None
        assert isinstance(ssrn.network, SSRN)
        clip, settings = store.clips[number], self._voice.settings
        rate = settings.audio.sample_rate
        path = self._place(f"ssrn-{ssrn.step}_{slug(clip.clip_id)}.wav")
        mel = store.coarse_mel(number).astype(np.float32)
        vocoder = VocoderSettings(settings.sharpening)
        with self._growing(request, ssrn.step, path) as on_sound:
            stream = SoundStream(ssrn.network, settings.audio, vocoder, on_sound)
            for start in range(0, len(mel), _FRAMES_AT_ONCE):
                if self._must_stop():
                    raise Cancelled("The recording was not resynthesised to its end.")
                end = start + _FRAMES_AT_ONCE
                stream.add(mel[start:end], last=end >= len(mel))
        sentence, seconds = request.sentence or clip.text, len(stream.waveform) / rate
        return Sample(
            ssrn.step, sentence, path, seconds, f"held-out {clip.clip_id}",
            self._original_of(request.sentence),
            ssrn_step=ssrn.step, automatic=request.automatic, time=time(),
            for_comparison=request.for_comparison,
        )  # fmt: skip

    def _place(self, name: str) -> Path:
        self._voice.make_samples()
        return unused_path(self._voice.samples / name)

    @contextmanager
    def _growing(
        self, request: Audition, step: int, path: Path
    ) -> Iterator[Callable[[NDArray[np.float32]], None]]:
        """Let a sample grow chunk by chunk; from the first on, the snapshot says so."""
        speaking = Speaking(step, request.sentence, path, request.automatic)
        with GrowingWav(path, self._voice.settings.audio.sample_rate) as file:

            def on_sound(samples: NDArray[np.float32]) -> None:
                file.write(samples)
                if self._publisher.snapshot.speaking is None and not request.for_comparison:
                    self._publisher.update(speaking=speaking)

            yield on_sound
            file.finish()

    def _original_of(self, sentence: str) -> Path | None:
        """The recording of a held-out sentence, copied among the samples at their level.

        None where that cannot be: training needs the recordings no more, and they may be gone.
        """
        number = self._recording_of(sentence)
        if self._store is None or number is None:
            earlier = (one for one in self._publisher.snapshot.samples if one.sentence == sentence)
            return next((one.original for one in earlier if one.original), None)
        clip, rate = self._store.clips[number], self._voice.settings.audio.sample_rate
        original = self._voice.samples / f"original_{slug(clip.clip_id)}.wav"
        try:
            if not original.exists():
                write_wav(original, level(load_recording(clip.path, rate)), rate)
        except VoicecoachError as error:
            _log.warning("no original beside the sample: %s", error)
            return None
        return original
