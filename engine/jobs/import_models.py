"""`voicecoach import`: a voice made of TensorFlow's checkpoints.

The voice continues where the original's training ended: its step becomes the base step, Adam's
moments and their count of steps come along, so that the next step is the one that the original
code would have made.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint, save_checkpoint
from engine.choices import NETWORKS, NetworkName, PresetName
from engine.data.audio_spec import MAX_FFT, AudioSpec
from engine.errors import InputError
from engine.files import PRIVATE_FOLDER, new_folder, require_makeable
from engine.networks.specs import SSRNSpec, Text2MelSpec, preset_of
from engine.text.mapping import vocabulary_option
from engine.text.vocabulary import BBC_SYMBOLS
from engine.tf_import.archive import SUFFIXES, unpacked
from engine.tf_import.files import NOTE, newest_by_name, prefix_of
from engine.tf_import.models import (
    FIRST_MOMENT,
    SECOND_MOMENT,
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
_Found = dict[NetworkName, FoundNetwork]
OnProgress = Callable[[str, int, int], None]
"""Takes what is being done, how many bytes of it are done, and of how many."""


@dataclass(frozen=True)
class ImportedNetwork:
    """A network as it was found."""

    network: NetworkName
    title: str
    source: str
    """The prefix of its checkpoint."""
    step: int
    parameters: int
    sizes: str
    """The widths in the paper's letters, in words."""
    updates: int | None
    """Of the optimizer state that came along; None where there is none."""


@dataclass(frozen=True)
class Imported:
    """What an import has made."""

    voice_folder: Path
    networks: tuple[ImportedNetwork, ...]
    symbols: str
    notes: tuple[str, ...]
    """Choices that were made for the person, in sentences."""
    missing: NetworkName | None
    """The network that was not there to import."""


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
        symbols = vocabulary_option(symbols)
    notes: list[str] = []
    with _open_models(models, notes, on_progress) as (found, root):
        for network in found.values():
            _ = network.variables  # refuses what can be refused before reading weights
        settings = _settings(found, symbols, notes)
        with new_folder(voice_folder, PRIVATE_FOLDER) as folder:
            voice = Voice.create(folder, settings)
            networks = [_import_network(one, voice, on_progress) for one in found.values()]

    def shown(text: str) -> str:
        """Names of files in an archive as parts of it."""
        return text.replace(str(root), str(models))

    return Imported(
        voice_folder=voice_folder,
        networks=tuple(replace(one, source=shown(one.source)) for one in networks),
        symbols=settings.symbols,
        notes=tuple(map(shown, notes)),
        missing=next((name for name in NETWORKS if name not in found), None),
    )


@contextlib.contextmanager
def _open_models(
    models: Path, notes: list[str], on_progress: OnProgress
) -> Iterator[tuple[_Found, Path]]:
    """The networks in a folder, in an archive, or of one checkpoint, and where they lie now."""
    try:
        models.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # a prefix is the name of no file
    except OSError as error:
        raise InputError(f"Cannot read {models}: {error.strerror}.") from error
    prefix = newest_by_name(models.parent) if models.name == NOTE else prefix_of(models)
    if models.is_dir():
        yield models_in(models, notes), models
    elif prefix is not None:
        yield models_at(prefix), models
    elif models.is_file() and models.name.lower().endswith(SUFFIXES):
        what, total = f"unpacking {models.name}", models.stat().st_size
        with unpacked(models, lambda done: on_progress(what, done, total)) as folder:
            yield models_in(folder, notes), folder
    else:
        problem = (
            f"{models} is not a TensorFlow checkpoint"
            if models.exists()
            else f"There is no TensorFlow checkpoint at {models}"
        )
        raise InputError(
            f"{problem}; give a folder such as models/ with LJ01-1/ and LJ01-2/, an archive of it "
            f"({', '.join(SUFFIXES)}), or the prefix of one checkpoint, such as "
            f"models/LJ01-1/model_gs_1450k."
        )


def _settings(found: _Found, symbols: str | None, notes: list[str]) -> VoiceSettings:
    """The settings of the voice; `notes` gets sentences about what was decided."""
    specs = {network: one.spec for network, one in found.items()}
    text2mel, ssrn = specs.get("text2mel"), specs.get("ssrn")
    if text2mel is not None and ssrn is not None and text2mel.n_mels != ssrn.n_mels:
        raise InputError(
            f"The two networks do not match: Text2Mel has {text2mel.n_mels} mel bands, SSRN "
            f"{ssrn.n_mels}; give models of one voice."
        )
    audio = replace(AudioSpec(), n_mels=next(iter(specs.values())).n_mels)
    if isinstance(ssrn, SSRNSpec):
        audio = _audio_of_bins(audio, ssrn.n_bins, notes)
    if not 2 <= audio.n_fft <= MAX_FFT or audio.n_mels > audio.n_bins:
        raise InputError(
            f"The models have {audio.n_mels:,} mel bands and {audio.n_bins:,} bins, which no "
            f"spectrum has; give models of DC-TTS."
        )
    if isinstance(text2mel, Text2MelSpec):
        symbols = _symbols(text2mel.vocabulary_size, symbols, notes)
    # The preset of these sizes, or `bbc` where there is none.
    presets = (preset_of(spec) for spec in specs.values())
    preset: PresetName = next((one for one in presets if one is not None), "bbc")
    return VoiceSettings(preset=preset, symbols=symbols or BBC_SYMBOLS, audio=audio)


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


def _import_network(found: FoundNetwork, voice: Voice, on_progress: OnProgress) -> ImportedNetwork:
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
        source=str(found.bundle.prefix),
        step=found.step,
        parameters=sum(tensor.numel() for tensor in weights.values()),
        sizes=_sizes(found),
        updates=found.updates if found.has_moments else None,
    )


def _read(
    found: FoundNetwork, on_progress: OnProgress
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights and the optimizer state, by our names; all variables, for their checksums."""
    slots = {"exp_avg": FIRST_MOMENT, "exp_avg_sq": SECOND_MOMENT} if found.has_moments else {}
    wanted = {name + slot for slot in ("", *slots.values()) for name in found.variables}
    bundle, done, values = found.bundle, 0, {}
    for name, entry in bundle.entries.items():
        value = bundle.read(name)
        done += entry.size
        on_progress(f"reading {found.title}", done, bundle.size)
        if value is None or name not in wanted:
            continue
        if not np.isfinite(value).all() or (name.endswith(SECOND_MOMENT) and value.min() < 0):
            raise InputError(
                f"{bundle.prefix} cannot be used: {name} holds values that no training produces "
                f"(infinite, not a number, or a negative square); give an earlier checkpoint."
            )
        values[name] = value
    weights = parameters_from(values, found.variables)
    optimizer: dict[str, Tensor] = {}
    updates = torch.tensor(float(min(found.updates, MAX_UPDATES)))
    for kind, slot in slots.items():
        tensors = parameters_from(values, found.variables, slot)
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
