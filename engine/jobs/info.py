"""`voicecoach info`: what a voice is made of.

Imports neither torch nor librosa, so that it answers at once.
"""

from pathlib import Path
from typing import Any

from engine.checkpoints.folders import damaged_checkpoints, read_state, spec_in
from engine.choices import NETWORKS, NetworkName
from engine.networks.specs import OWN_SIZE, size_of
from engine.voice.folder import Voice, read_corpus_report
from engine.voice.layout import CheckpointEntry
from engine.voice.settings import VoiceSettings
from engine.voice.spend import Ledger

_NOTHING: dict[str, Any] = {"step": None, "base_step": None, "parameters": None, "checkpoints": []}


def describe(folder: Path) -> dict[str, Any]:
    """Return what there is to know about a voice, for `voicecoach info`.

    Raises:
        InputError: there is no voice in the folder, or its newest checkpoint is damaged.
    """
    voice = Voice.open(folder)
    settings, ledger = voice.settings, voice.ledger
    networks = {network: _describe_network(voice, network) for network in NETWORKS}
    return {
        "voice": voice.name,
        "folder": str(folder),
        "vocabulary": settings.symbols,
        "preset": _preset(settings, networks),
        "recipe": settings.recipe,
        "cleaner": settings.cleaner,
        "corpus": {
            "dataset": None if settings.dataset is None else str(voice.dataset),
            **read_corpus_report(voice),
        },
        "networks": networks,
        "samples": len(list(voice.samples.glob("*.wav"))) if voice.samples.is_dir() else 0,
        "spend": {
            "usd": round(ledger.usd, 4),
            "training_usd": round(ledger.usd - ledger.idle_usd, 4),
            "idle_usd": round(ledger.idle_usd, 4),
            "hours": round(ledger.seconds / 3600, 4),
            "idle_hours": round(ledger.idle_seconds / 3600, 4),
            "budget_usd": settings.budget or None,
            "price": _last_price(settings, ledger),
            **_missing_spend(ledger),
        },
    }


def _missing_spend(ledger: Ledger) -> dict[str, Any]:
    """What the sums lack, where lines of the ledger are damaged."""
    count = len(ledger.unreadable)
    return {"problem": f"{ledger.path}: {count:,} damaged, not counted"} if count else {}


def _preset(settings: VoiceSettings, networks: dict[NetworkName, dict[str, Any]]) -> str:
    """The preset of a voice; `own size` where a network of it has widths of its own."""
    sizes = [network["size"] for network in networks.values() if "size" in network]
    return OWN_SIZE if any(size.startswith(OWN_SIZE) for size in sizes) else settings.preset


def _last_price(settings: VoiceSettings, ledger: Ledger) -> float:
    """US dollars an hour; where the cloud says it, what it said last."""
    if settings.price_auto and ledger.stretches:
        return ledger.stretches[-1].price
    return settings.price


def _describe_network(voice: Voice, network: NetworkName) -> dict[str, Any]:
    folder = voice.folder / network / "checkpoints"
    bad = [entry.path for entry in damaged_checkpoints(folder)]
    checkpoints = [entry for entry in voice.checkpoints(network) if entry.path not in bad]
    damaged = {"damaged": [path.name for path in bad]} if bad else {}
    if not checkpoints:
        return {**_NOTHING, **damaged}
    state = read_state(checkpoints[-1].path)
    spec = spec_in(state, checkpoints[-1].path)
    origin = _origin_of_symbols(checkpoints, state["base_step"])
    return {
        "step": checkpoints[-1].step,
        "base_step": state["base_step"],
        "size": size_of(spec),
        "parameters": state.get("parameters"),
        "checkpoints": [entry.step for entry in checkpoints],
        **({} if origin is None else {"symbols_from": origin}),
        **damaged,
    }


def _origin_of_symbols(checkpoints: list[CheckpointEntry], base_step: int) -> Any:  # noqa: ANN401
    """Where a Text2Mel's embeddings came from, if it started from one with other symbols."""
    base = [entry for entry in checkpoints if entry.step == base_step]
    return read_state(base[0].path).get("symbols_from") if base else None
