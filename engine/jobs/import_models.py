"""`voicecoach import`: a voice made of TensorFlow's checkpoints.

The voice continues where the original's training ended: its step becomes the base step, Adam's
moments and their count of steps come along, so that the next step is the one that the original
code would have made.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint, save_checkpoint
from engine.choices import NETWORKS, NetworkName, PresetName
from engine.data.audio import MAX_FFT, AudioSpec
from engine.errors import InputError
from engine.files import PRIVATE_FOLDER, new_folder, require_makeable
from engine.networks.specs import SSRNSpec, Text2MelSpec, preset_of
from engine.text.mapping import require_vocabulary
from engine.text.vocabulary import BBC_SYMBOLS
from engine.tf_import.archive import SUFFIXES, unpacked
from engine.tf_import.files import NOTE, newest_by_name, prefix_of
from engine.tf_import.models import (
    FIRST_MOMENT,
    SECOND_MOMENT,
    FoundModels,
    FoundNetwork,
    models_at,
    models_in,
)
from engine.tf_import.weights import parameters_from
from engine.training.optimizer import MAX_UPDATES
from engine.voice.dataset import require_free
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

KYUBYONG_SYMBOLS = "PE abcdefghijklmnopqrstuvwxyz'.?"
"""The 32 symbols of the code that the BBC's descends from."""

_KNOWN_SYMBOLS = {
    len(BBC_SYMBOLS): (BBC_SYMBOLS, "the BBC's"),
    len(KYUBYONG_SYMBOLS): (KYUBYONG_SYMBOLS, "Kyubyong's"),
}
OnProgress = Callable[[str, int, int], None]
"""Takes what is being done, how many bytes of it are done, and of how many."""


@dataclass(frozen=True)
class ImportedNetwork:
    """A network as it was found."""

    network: NetworkName
    title: str
    """Its name as people write it."""
    source: str
    """The prefix of its checkpoint."""
    step: int
    parameters: int
    sizes: str
    """The widths in the paper's letters, in words."""
    updates: int | None
    """Steps of the optimizer state that came along; None where there is none."""


@dataclass(frozen=True)
class Imported:
    """What an import has made."""

    voice_folder: Path
    networks: tuple[ImportedNetwork, ...]
    symbols: str
    notes: tuple[str, ...]
    """Choices that were made for the person, in sentences."""
    missing: NetworkName | None
    """The network that was not there to import: without SSRN a voice sounds muffled, without
    Text2Mel it cannot speak."""


def import_voice(
    models: Path,
    voice_folder: Path,
    *,
    symbols: str | None = None,
    on_progress: OnProgress = lambda what, done, total: None,
) -> Imported:
    """Make a voice out of checkpoints that the BBC's DC-TTS code has written.

    Args:
        models: a folder with both networks, a tar archive of one, or one checkpoint's prefix.
        voice_folder: a new or empty folder; nothing is left in it on failure.
        symbols: the vocabulary, in the order of the embedding's rows; without it the BBC's or
            Kyubyong's, by the number of rows.
        on_progress: called as files are unpacked, read and written.

    Raises:
        InputError: the models cannot be used, or the voice folder is not empty, or cannot be made.
        EngineError: the voice cannot be written.
    """
    require_makeable(voice_folder)
    if Voice.exists(voice_folder):
        raise InputError(
            f"There is a voice in {voice_folder} already; name a new folder with --voice, or "
            f"remove that one first."
        )
    require_free(voice_folder, set(), None)
    if symbols is not None:
        require_vocabulary(symbols)
    with _open_models(models, on_progress) as (found, shown):
        for network in found.networks.values():
            _ = network.variables  # refuses what can be refused before reading weights
        settings, notes = _settings(found, symbols)
        with new_folder(voice_folder, PRIVATE_FOLDER) as folder:
            voice = Voice.create(folder, settings)
            imported = tuple(
                _import_network(network, voice, shown, on_progress)
                for network in found.networks.values()
            )
    return Imported(
        voice_folder=voice_folder,
        networks=imported,
        symbols=settings.symbols,
        notes=tuple(shown(note) for note in notes),
        missing=next((name for name in NETWORKS if name not in found.networks), None),
    )


# Where the models are.


@contextlib.contextmanager
def _open_models(
    models: Path, on_progress: OnProgress
) -> Iterator[tuple[FoundModels, Callable[[str], str]]]:
    """The networks in a folder, in an archive, or of one checkpoint.

    With a function that shows names of files in a text: those of an archive as parts of it.
    """
    try:
        models.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # a prefix is the name of no file
    except OSError as error:
        raise InputError(f"Cannot read {models}: {error.strerror}.") from error
    prefix = newest_by_name(models.parent) if models.name == NOTE else prefix_of(models)
    if models.is_dir():
        yield models_in(models), str
    elif prefix is not None:
        yield models_at(prefix), str
    elif models.is_file() and models.name.lower().endswith(SUFFIXES):
        count = _counter(f"unpacking {models.name}", models.stat().st_size, on_progress)
        with unpacked(models, count) as folder:
            yield models_in(folder), lambda text: text.replace(str(folder), str(models))
    else:
        raise InputError(_why_unusable(models))


def _why_unusable(models: Path) -> str:
    wanted = (
        f"give a folder such as models/ with LJ01-1/ and LJ01-2/, an archive of it "
        f"({', '.join(SUFFIXES)}), or the prefix of one checkpoint, such as "
        f"models/LJ01-1/model_gs_1450k"
    )
    if models.exists():
        return f"{models} is not a TensorFlow checkpoint; {wanted}."
    return f"There is no TensorFlow checkpoint at {models}; {wanted}."


def _counter(what: str, total: int, on_progress: OnProgress) -> Callable[[int], None]:
    """A function that adds up bytes and reports the sum."""
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        on_progress(what, done, total)

    return add


# The voice's settings.


def _settings(found: FoundModels, symbols: str | None) -> tuple[VoiceSettings, tuple[str, ...]]:
    """The settings of the voice, and notes on what was decided."""
    notes = list(found.notes)
    specs = {network: one.spec for network, one in found.networks.items()}
    text2mel, ssrn = specs.get("text2mel"), specs.get("ssrn")
    if text2mel is not None and ssrn is not None and text2mel.n_mels != ssrn.n_mels:
        raise InputError(
            f"The two networks do not match: Text2Mel has {text2mel.n_mels} mel bands, SSRN "
            f"{ssrn.n_mels}; give models of one voice."
        )
    audio = AudioSpec()
    for spec in specs.values():
        audio = replace(audio, n_mels=spec.n_mels)
    if isinstance(ssrn, SSRNSpec):
        audio = _audio_of_bins(audio, ssrn.n_bins, notes)
    if not 2 <= audio.n_fft <= MAX_FFT or audio.n_mels > audio.n_bins:
        raise InputError(
            f"The models have {audio.n_mels:,} mel bands and {audio.n_bins:,} bins, which no "
            f"spectrum has; give models of DC-TTS."
        )
    if isinstance(text2mel, Text2MelSpec):
        symbols = _symbols(text2mel.vocabulary_size, symbols, notes)
    settings = VoiceSettings(preset=_preset(found), symbols=symbols or BBC_SYMBOLS, audio=audio)
    return settings, tuple(notes)


def _audio_of_bins(audio: AudioSpec, n_bins: int, notes: list[str]) -> AudioSpec:
    """The audio constants where the spectrum has `n_bins`; the files do not name the others."""
    n_fft = 2 * (n_bins - 1)
    if n_fft >= audio.win_length:
        return replace(audio, n_fft=n_fft)
    # The frame rate of the networks, as far as frames still overlap by half.
    hop = max(1, min(audio.hop_length, n_fft // 2))
    notes.append(
        f"SSRN has {n_bins:,} bins, so the transform has {n_fft:,} samples, fewer than the usual "
        f"window of {audio.win_length:,}: the window is set to {n_fft:,} and the hop to {hop:,}; "
        f"change [audio] in voice.toml if the models were trained with others"
    )
    return replace(audio, n_fft=n_fft, win_length=n_fft, hop_length=hop)


def _symbols(rows: int, given: str | None, notes: list[str]) -> str:
    """The vocabulary of an embedding with so many rows."""
    if given is not None:
        if len(given) != rows:
            raise InputError(
                f"--vocabulary has {len(given):,} symbols, but the models have {rows:,}, P and E "
                f"included; give one symbol for each, in their order."
            )
        return given
    known, whose = _KNOWN_SYMBOLS.get(rows, ("", ""))
    if not known:
        raise InputError(
            f"The models have {rows:,} symbols, which their files do not name; give them in "
            f'their order with --vocabulary "PE …" (the BBC has {len(BBC_SYMBOLS)}, Kyubyong '
            f"{len(KYUBYONG_SYMBOLS)})."
        )
    notes.append(f"vocabulary: {whose} {rows} symbols, by their number; --vocabulary sets another")
    return known


def _preset(found: FoundModels) -> PresetName:
    """The preset with these sizes, or `bbc` where there is none."""
    presets = [preset_of(network.spec) for network in found.networks.values()]
    return next((preset for preset in presets if preset is not None), "bbc")


# What is written.


def _import_network(
    found: FoundNetwork, voice: Voice, shown: Callable[[str], str], on_progress: OnProgress
) -> ImportedNetwork:
    weights, optimizer = _read(found, on_progress)
    checkpoint = Checkpoint(
        network=found.network,
        spec=found.spec,
        symbols=voice.settings.symbols,
        step=found.step,
        base_step=found.step,
        recipe="bbc",
        seed=voice.settings.seed,
        optimizer_start_step=0,
        weights=weights,
        ema={},
        optimizer=optimizer,
    )
    on_progress(f"writing {found.title}", 0, 0)
    save_checkpoint(checkpoint, voice.checkpoint_folder(found.network, found.step))
    return ImportedNetwork(
        network=found.network,
        title=found.title,
        source=shown(str(found.bundle.prefix)),
        step=found.step,
        parameters=sum(tensor.numel() for tensor in weights.values()),
        sizes=_sizes(found),
        updates=found.updates if found.has_moments else None,
    )


def _read(
    found: FoundNetwork, on_progress: OnProgress
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights and the optimizer state, by our names.

    Raises:
        InputError: a file is damaged, or holds impossible values.
    """
    slots = {"": "weights"}
    if found.has_moments:
        slots |= {FIRST_MOMENT: "exp_avg", SECOND_MOMENT: "exp_avg_sq"}
    wanted = {name + slot for slot in slots for name in found.variables}
    count = _counter(f"reading {found.title}", found.bundle.size, on_progress)
    values = {}
    for name, value in found.bundle.values(wanted, count):
        tensor = torch.from_numpy(value.copy())
        if not tensor.isfinite().all() or (name.endswith(SECOND_MOMENT) and tensor.min() < 0):
            raise InputError(
                f"{found.bundle.prefix} cannot be used: {name} holds values that no training "
                f"produces (infinite, not a number, or a negative square); give an earlier "
                f"checkpoint."
            )
        values[name] = value
    weights, *moments = (parameters_from(values, found.variables, slot) for slot in slots)
    optimizer: dict[str, Tensor] = {}
    updates = torch.tensor(float(min(found.updates, MAX_UPDATES)))
    for kind, tensors in zip(list(slots.values())[1:], moments, strict=True):
        optimizer |= {f"{kind}/{name}": tensor for name, tensor in tensors.items()}
        optimizer |= {f"step/{name}": updates.clone() for name in tensors}
    return weights, optimizer


def _sizes(found: FoundNetwork) -> str:
    spec = found.spec
    if isinstance(spec, Text2MelSpec):
        return (
            f"e = {spec.embedding}, d = {spec.hidden}, {spec.n_mels} mel bands, "
            f"{spec.vocabulary_size} symbols"
        )
    return f"c = {spec.hidden}, {spec.n_mels} mel bands, {spec.n_bins:,} bins"
