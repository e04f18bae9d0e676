"""The front door of the import: a voice out of TensorFlow's checkpoints.

The voice continues where the original's training stood: its step becomes the base step, Adam's
moments and its count of steps go along, so that the next step is the one that the original's
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
from engine.data.audio import AudioSpec
from engine.errors import InputError
from engine.files import PRIVATE_FOLDER, new_folder, require_makeable
from engine.networks.specs import PRESETS, SSRNSpec, Text2MelSpec, preset_spec
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary
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
from engine.tf_import.weights import Collector
from engine.training.learner import MAX_UPDATES
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

KYUBYONG_SYMBOLS = "PE abcdefghijklmnopqrstuvwxyz'.?"
"""The 32 symbols of the code that the BBC's descends from."""

_KNOWN_SYMBOLS = {
    len(BBC_SYMBOLS): (BBC_SYMBOLS, "the BBC's"),
    len(KYUBYONG_SYMBOLS): (KYUBYONG_SYMBOLS, "Kyubyong's"),
}
OnProgress = Callable[[str, int, int], None]
"""What is being done, how many bytes of it are done, and of how many."""


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
    moments: bool
    """Whether Adam's moments came along."""
    updates: int
    """The steps that Adam has made since its moments were zero."""


@dataclass(frozen=True)
class Imported:
    """What an import has made."""

    voice_folder: Path
    networks: tuple[ImportedNetwork, ...]
    symbols: str
    audio: AudioSpec
    notes: tuple[str, ...]
    """What a person should know of choices that were made for them."""
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
        voice_folder: where the voice will be; nothing is there, and nothing remains on failure.
        symbols: the vocabulary, in the order of the embedding's rows; the BBC's or Kyubyong's
            by the number of rows without it.
        on_progress: told of progress.

    Raises:
        InputError: the models cannot be used, or there is something in the voice folder, or it
            can never be made.
        EngineError: the voice cannot be written.
    """
    _require_no_voice(voice_folder)
    require_makeable(voice_folder)
    if symbols is not None:
        _require_vocabulary(symbols)
    with _models(models, on_progress) as (found, shown):
        for network in found.networks.values():
            _ = network.variables  # all that can be told without reading it
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
        audio=settings.audio,
        notes=tuple(shown(note) for note in notes),
        missing=next((name for name in NETWORKS if name not in found.networks), None),
    )


def _require_no_voice(folder: Path) -> None:
    try:
        if Voice.exists(folder):
            raise InputError(
                f"There is a voice in {folder} already; name a new folder with --voice, or remove "
                f"that one first."
            )
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise InputError(f"{folder} is not a folder; name a new one with --voice.")
        strange = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise InputError(
            f"{folder} cannot be the voice folder: {error.strerror}; name another with --voice."
        ) from error
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    if not above.is_dir():
        raise InputError(f"{above} is a file, so no voice can be in it; name another with --voice.")
    if strange:
        raise InputError(
            f"{folder} holds something else than a voice ({strange[0]}); name a new folder "
            f"with --voice."
        )


def _require_vocabulary(symbols: str) -> None:
    if not symbols.isprintable():
        raise InputError(
            f"The vocabulary {symbols!r} has characters that cannot be written; leave them out."
        )
    Vocabulary(symbols)


# Where the models are.


@contextlib.contextmanager
def _models(
    models: Path, on_progress: OnProgress
) -> Iterator[tuple[FoundModels, Callable[[str], str]]]:
    """The networks in a folder, in an archive, or of one checkpoint.

    And how a text that names their files is shown: those of an archive as parts of it.
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
        count = _Count(f"unpacking {models.name}", models.stat().st_size, on_progress)
        with unpacked(models, count.add) as folder:
            yield models_in(folder), lambda text: text.replace(str(folder), str(models))
    else:
        raise InputError(_what_is_wrong_with(models))


def _what_is_wrong_with(models: Path) -> str:
    wanted = (
        f"give a folder such as models/ with LJ01-1/ and LJ01-2/, an archive of it "
        f"({', '.join(SUFFIXES)}), or the prefix of one checkpoint, such as "
        f"models/LJ01-1/model_gs_1450k"
    )
    data = sorted(models.parent.glob(f"{_escaped(models.name)}.data-*-of-*"))[:1]
    if models.with_name(models.name + ".meta").is_file():
        kind = "a checkpoint of version 1 of TensorFlow's format, or one without its index"
        return f"{models} is {kind}; {wanted}."
    if models.exists():
        return f"{models} is not a TensorFlow checkpoint; {wanted}."
    if data:
        return f"{models} has lost its index: there is only {data[0].name}; copy both."
    return f"There is nothing at {models}; {wanted}."


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


class _Count:
    """Adds up bytes, and tells of them."""

    def __init__(self, what: str, total: int, on_progress: OnProgress) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._on_progress = on_progress

    def add(self, count: int) -> None:
        self._done += count
        self._on_progress(self._what, self._done, self._total)


# What the voice is.


def _settings(found: FoundModels, symbols: str | None) -> tuple[VoiceSettings, tuple[str, ...]]:
    """The settings of the voice, and the notes on what was decided."""
    notes = list(found.notes)
    specs = {network: one.spec for network, one in found.networks.items()}
    text2mel, ssrn = specs.get("text2mel"), specs.get("ssrn")
    if text2mel is not None and ssrn is not None and text2mel.n_mels != ssrn.n_mels:
        raise InputError(
            f"The two networks do not belong together: Text2Mel speaks {text2mel.n_mels} mel "
            f"bands, SSRN reads {ssrn.n_mels}; give models of one voice."
        )
    audio = AudioSpec()
    for spec in specs.values():
        audio = replace(audio, n_mels=spec.n_mels)
    if isinstance(ssrn, SSRNSpec):
        audio = _audio_of_bins(audio, ssrn.n_bins, notes)
    if isinstance(text2mel, Text2MelSpec):
        symbols = _symbols(text2mel.vocabulary_size, symbols, notes)
    settings = VoiceSettings(
        preset=_preset(found), symbols=symbols or BBC_SYMBOLS, audio=_sound(audio)
    )
    return settings, tuple(notes)


def _audio_of_bins(audio: AudioSpec, n_bins: int, notes: list[str]) -> AudioSpec:
    """The audio constants where the spectrum has `n_bins`; the file says nothing of the rest."""
    n_fft = 2 * (n_bins - 1)
    if n_fft >= audio.win_length:
        return replace(audio, n_fft=n_fft)
    # Frames keep the pace at which the networks speak, as far as they still overlap by half.
    hop = max(1, min(audio.hop_length, n_fft // 2))
    notes.append(
        f"SSRN has {n_bins:,} bins, so the transform has {n_fft:,} samples, fewer than the usual "
        f"window of {audio.win_length:,}: the window is set to {n_fft:,} and the hop to {hop:,}; "
        f"[audio] in voice.toml can say what the models were really made with"
    )
    return replace(audio, n_fft=n_fft, win_length=n_fft, hop_length=hop)


def _sound(audio: AudioSpec) -> AudioSpec:
    """The audio constants, refused where `voice.toml` could not say them."""
    if not 2 <= audio.n_fft <= 2**16 or audio.n_mels > audio.n_bins:
        raise InputError(
            f"The models speak {audio.n_mels:,} mel bands and {audio.n_bins:,} bins, which no "
            f"spectrum has; give models of DC-TTS."
        )
    return audio


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
            f"The models have {rows:,} symbols, and which is not in their files; give them in "
            f'their order with --vocabulary "PE …" (the BBC has {len(BBC_SYMBOLS)}, Kyubyong '
            f"{len(KYUBYONG_SYMBOLS)})."
        )
    notes.append(
        f"vocabulary: {whose} {rows} symbols, by their number; --vocabulary says it otherwise"
    )
    return known


def _preset(found: FoundModels) -> PresetName:
    """The preset that the sizes are those of, or the usual one for sizes of one's own."""
    for preset in PRESETS:
        for network in found.networks.values():
            spec = network.spec
            n_bins = spec.n_bins if isinstance(spec, SSRNSpec) else AudioSpec().n_bins
            theirs = preset_spec(
                preset, network.network, vocabulary_size=34, n_mels=spec.n_mels, n_bins=n_bins
            )
            if theirs.hidden == spec.hidden:
                return preset
    return "bbc"


# What is written.


def _import_network(
    found: FoundNetwork, voice: Voice, shown: Callable[[str], str], on_progress: OnProgress
) -> ImportedNetwork:
    weights, moments = _read(found, on_progress)
    count = torch.tensor(float(min(found.updates, MAX_UPDATES)))
    optimizer = {
        **{f"{kind}/{name}": t for kind, part in moments.items() for name, t in part.items()},
        **{f"step/{name}": count.clone() for name in moments.get("exp_avg", {})},
    }
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
        moments=found.has_moments,
        updates=found.updates,
    )


def _read(
    found: FoundNetwork, on_progress: OnProgress
) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """The weights by our names, and Adam's moments by their kind and our names.

    Raises:
        InputError: a file is damaged, or holds what is no number.
    """
    variables = found.variables
    weights = Collector(variables)
    moments: dict[str, Collector] = {}
    places = {name: (weights, name) for name in variables}
    if found.has_moments:
        for kind, slot in (("exp_avg", FIRST_MOMENT), ("exp_avg_sq", SECOND_MOMENT)):
            moments[kind] = Collector(variables)
            places |= {name + slot: (moments[kind], name) for name in variables}
    count = _Count(f"reading {found.title}", found.bundle.size, on_progress)
    for stored, value in found.bundle.values(places, count.add):
        collector, name = places[stored]
        tensor = torch.from_numpy(value.copy())
        if not tensor.isfinite().all() or (stored.endswith(SECOND_MOMENT) and tensor.min() < 0):
            raise InputError(
                f"{found.bundle.prefix} cannot be used: {stored} holds values that no training "
                f"leaves behind (infinite, not a number, or a negative square); give an earlier "
                f"checkpoint."
            )
        collector.take(name, value)
    return weights.tensors, {kind: collector.tensors for kind, collector in moments.items()}


def _sizes(found: FoundNetwork) -> str:
    spec = found.spec
    if isinstance(spec, Text2MelSpec):
        return (
            f"e = {spec.embedding}, d = {spec.hidden}, {spec.n_mels} mel bands, "
            f"{spec.vocabulary_size} symbols"
        )
    return f"c = {spec.hidden}, {spec.n_mels} mel bands, {spec.n_bins:,} bins"
