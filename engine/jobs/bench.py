"""How fast this machine is: steps, checkpoints and synthesis.

Times change from minute to minute; two ways of doing the same are therefore timed in turn.
"""

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from engine.check.report import USUAL_STEPS
from engine.checkpoints.checkpoint import Checkpoint, save_checkpoint
from engine.choices import NETWORKS, NetworkName, PresetName
from engine.data.audio import AudioSpec
from engine.data.batches import Batch
from engine.data.clips import Limits
from engine.errors import Cancelled
from engine.formatting import duration, format_bytes
from engine.machine.device import (
    choose_device,
    compute_on_one_thread,
    describe_device,
    leave_a_core_for_the_screen,
    possible_precisions,
)
from engine.networks.build import build_network, network_with
from engine.networks.specs import Text2MelSpec
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.run.recipe import recipe_named
from engine.speech.speaker import Speaker
from engine.speech.synthesizer import speak_sentence
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary
from engine.training.checkpoint_writer import StateCopy
from engine.training.divergence import all_finite
from engine.training.learner import Learner
from engine.voice.layout import step_folder
from engine.voice.settings import VoiceSettings

# A batch as a corpus of short clips gives it.
_CHARACTERS = 40
_FRAMES = 48
_SENTENCE = "the quick answer is often not the right one."


Row = tuple[str, str, str]
"""What was measured, its figures with their units, how that compares with another way."""


def run_bench(
    preset: PresetName, asked_device: str, rounds: int, on_row: Callable[[Row], None]
) -> str:
    """Time step, checkpoint, synthesis and first sound of a preset; return the measured device.

    Checkpoints are written below the current folder, and removed.

    Args:
        preset: the sizes of the networks.
        asked_device: `auto`, `cpu` or `cuda:N`.
        rounds: how often two ways of doing the same are timed in turn.
        on_row: is given each row of the table as it comes.

    Raises:
        InputError: there is no such device.
    """
    device = choose_device(asked_device)
    leave_a_core_for_the_screen()
    for network in NETWORKS:
        on_row(_step_row(preset, network, device, rounds))
        on_row(_checkpoint_row(preset, network, device, rounds))
    on_row(_synthesis_row(preset, rounds))
    on_row(_first_sound_row(preset, device, rounds))
    return describe_device(device)


def _step_row(preset: PresetName, network: NetworkName, device: torch.device, rounds: int) -> Row:
    """A training step against the same in single precision."""
    batch = _random_batch(network, device)
    best = possible_precisions("auto", device)[0]
    ours = _stepper(_learner(preset, network, device, best), batch)
    single = _stepper(_learner(preset, network, device, torch.float32), batch)
    seconds, _, ratio = _time_in_turn(ours, single, rounds)
    steps = USUAL_STEPS[network]
    return (
        f"{network} step, {'bf16' if best == torch.bfloat16 else 'fp32'}",
        f"{1 / seconds:,.1f} steps/s: {steps:,} steps take {duration(steps * seconds)}",
        f"{ratio:.2f} times as fast as fp32",
    )


def _checkpoint_row(
    preset: PresetName, network: NetworkName, device: torch.device, rounds: int
) -> Row:
    """How long the steps wait for a checkpoint, against the writing of it."""
    learner = _learner(preset, network, device, possible_precisions("auto", device)[0])
    _stepper(learner, _random_batch(network, device))()
    copy = StateCopy(learner)

    def wait() -> None:
        live = learner.live_state()
        all_finite((*live["weights"].values(), *live["ema"].values()))
        copy.take()[1]()

    with tempfile.TemporaryDirectory(dir=".", prefix=".voicecoach-bench-") as folder:
        target = step_folder(Path(folder) / network / "checkpoints", 1)

        def write() -> None:
            groups, ready = copy.take()
            ready()
            checkpoint = Checkpoint(
                network,
                learner.spec,
                BBC_SYMBOLS,
                step=1,
                base_step=0,
                recipe=learner.recipe.name,
                seed=1,
                weights=groups["weights"],
                ema=groups["ema"],
                optimizer=groups["optimizer"],
            )
            save_checkpoint(checkpoint, target)

        waiting, writing, _ = _time_in_turn(wait, write, max(2, rounds // 4))
    return (
        f"{network} checkpoint, {format_bytes(copy.bytes)}",
        f"training waits {waiting * 1000:,.1f} ms",
        f"writing takes {writing * 1000:,.0f} ms, in the background",
    )


def _learner(
    preset: PresetName, network: NetworkName, device: torch.device, precision: torch.dtype
) -> Learner:
    spec, recipe = VoiceSettings(preset=preset).fresh_spec(network), recipe_named("standard")
    return Learner(spec, recipe, device=device, precision=precision, seed=1)


def _stepper(learner: Learner, batch: Batch) -> Callable[[], None]:
    def step() -> None:
        learner.step(batch, 1)
        if learner.device.type == "cuda":
            torch.cuda.synchronize(learner.device)

    return step


def _random_batch(network: NetworkName, device: torch.device) -> Batch:
    recipe, audio = recipe_named("standard"), AudioSpec()
    size = recipe.batch_size
    frames = _FRAMES if network == "text2mel" else recipe.crop_frames or _FRAMES
    generator = torch.Generator().manual_seed(1)
    magnitude = None
    if network == "ssrn":
        shape = (size, frames * audio.reduction, audio.n_bins)
        magnitude = torch.rand(shape, generator=generator)
    return Batch(
        text=torch.randint(2, len(BBC_SYMBOLS), (size, _CHARACTERS), generator=generator),
        text_lengths=torch.full((size,), _CHARACTERS),
        mel=torch.rand((size, frames, audio.n_mels), generator=generator),
        frame_lengths=torch.full((size,), frames),
        magnitude=magnitude,
    ).to(device)


def _synthesis_row(preset: PresetName, rounds: int) -> Row:
    """One sentence frame by frame on the CPU."""
    audio, vocabulary = AudioSpec(), Vocabulary(BBC_SYMBOLS)
    spec = VoiceSettings(preset=preset).fresh_spec("text2mel")
    assert isinstance(spec, Text2MelSpec)
    torch.manual_seed(1)
    text2mel = Text2Mel(spec).eval()
    limits = Limits(max_coarse_frames=_FRAMES)
    text = torch.tensor([vocabulary.encode(_SENTENCE)])

    def cached() -> None:
        speak_sentence(text2mel, vocabulary, limits, _SENTENCE)

    @torch.inference_mode()
    def whole() -> None:
        for frames in range(1, _FRAMES + 1):
            text2mel(text, torch.zeros(1, frames, audio.n_mels))

    ours, _, ratio = _time_in_turn(cached, whole, max(2, rounds // 4))
    seconds = _FRAMES * audio.reduction * audio.hop_length / audio.sample_rate
    return (
        "text2mel synthesis on the CPU",
        f"{seconds / ours:.1f} s of speech per second",
        f"{ratio:.2f} times as fast as the whole network for every frame",
    )


def _first_sound_row(preset: PresetName, device: torch.device, rounds: int) -> Row:
    """From the key that asks for a sample to its first sound, without steps and beside them."""
    learner = _learner(preset, "text2mel", device, possible_precisions("auto", device)[0])
    step = _stepper(learner, _random_batch("text2mel", device))
    settings = VoiceSettings(preset=preset)
    ssrn = build_network(settings.fresh_spec("ssrn")).eval()
    assert isinstance(ssrn, SSRN)
    # As an audition has them: copies of the weights of this moment, in those of the last time.
    _, copies = learner.copy_ema_weights()

    def speak() -> None:
        learner.copy_ema_weights(copies)
        text2mel, heard = network_with(learner.spec, copies), threading.Event()
        assert isinstance(text2mel, Text2Mel)
        speaker = Speaker(text2mel, 0, ssrn, 0, Vocabulary(settings.symbols), settings)
        with contextlib.suppress(Cancelled):
            speaker.speak(_SENTENCE, cancelled=heard.is_set, on_sound=lambda _: heard.set())

    paused, training = (
        _time_beside(work, speak, max(3, rounds // 2)) for work in (lambda: time.sleep(0.1), step)
    )
    return (
        "first sound of a sample",
        f"{training * 1000:,.0f} ms after the key during training",
        f"{paused * 1000:,.0f} ms in a pause",
    )


def _time_beside(steps: Callable[[], None], work: Callable[[], None], rounds: int) -> float:
    """Median seconds of work in a thread like that of auditions, while this one makes steps."""
    seconds: list[float] = []

    def measure() -> None:
        compute_on_one_thread()
        work()
        seconds.extend(_time(work) for _ in range(rounds))

    thread = threading.Thread(target=measure, daemon=True)
    thread.start()
    while thread.is_alive():
        steps()
    return median(seconds)


def _time_in_turn(
    ours: Callable[[], None], theirs: Callable[[], None], rounds: int
) -> tuple[float, float, float]:
    """Median seconds of both, and of the ratio of theirs to ours, after one warm-up each."""
    ours()
    theirs()
    pairs = [(_time(ours), _time(theirs)) for _ in range(rounds)]
    ratios = [b / a for a, b in pairs]
    return median(a for a, _ in pairs), median(b for _, b in pairs), median(ratios)


def _time(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
