"""`voicecoach info`: what a voice is made of.

Imports neither torch nor librosa, so that it answers at once.
"""

from pathlib import Path
from typing import Any

from engine.checkpoints.both_networks import ssrn_to_train
from engine.checkpoints.state import damaged_checkpoints, read_state
from engine.choices import NETWORKS, NetworkName
from engine.networks.specs import OWN_SIZE, size_of
from engine.serialization import to_plain
from engine.voice.comparisons import read_comparisons
from engine.voice.evaluations import read_evaluations
from engine.voice.folder import Voice, read_corpus_report
from engine.voice.samples import newest_samples
from engine.voice.settings import VoiceSettings
from engine.voice.spend import SpendLog

_NOTHING: dict[str, Any] = {"step": None, "base_step": None, "parameters": None, "checkpoints": []}


def describe(folder: Path) -> dict[str, Any]:
    """Return what there is to know about a voice, for `voicecoach info`.

    Raises:
        InputError: there is no voice in the folder, or its newest checkpoint is damaged.
    """
    voice = Voice.open(folder)
    settings, spend = voice.settings, voice.spend
    networks = {network: _describe_network(voice, network) for network in NETWORKS}
    return {
        "voice": voice.name,
        "folder": str(folder),
        "vocabulary": settings.symbols,
        "preset": _preset(settings, networks),
        "recipe": settings.recipe,
        "cleaner": settings.cleaner,
        "dropout": settings.dropout,
        "corpus": {
            "dataset": None if settings.dataset is None else str(voice.dataset),
            **read_corpus_report(voice),
        },
        "networks": networks,
        "samples": len(list(voice.samples.glob("*.wav"))) if voice.samples.is_dir() else 0,
        "newest_samples": newest_samples(voice),
        "comparisons": _comparisons(voice),
        "evaluations": _evaluations(voice),
        "recommended": _recommended(voice),
        "next": _next(voice),
        "spend": {
            "usd": round(spend.usd, 4),
            "training_usd": round(spend.usd - spend.idle_usd, 4),
            "idle_usd": round(spend.idle_usd, 4),
            "hours": round(spend.seconds / 3600, 4),
            "idle_hours": round(spend.idle_seconds / 3600, 4),
            "budget_usd": settings.budget or None,
            "price": _last_price(settings, spend),
            **_missing_spend(spend),
        },
    }


def _comparisons(voice: Voice) -> dict[str, Any]:
    """What the answers to blind comparisons say, by network."""
    comparisons = read_comparisons(voice)
    if not comparisons:
        return {}
    from engine.advice.comparisons import describe_comparisons  # most voices need no numpy

    return describe_comparisons(comparisons)


def _evaluations(voice: Voice) -> dict[str, Any]:
    """What was measured of checkpoints, by network."""
    found = {network: read_evaluations(voice, network) for network in NETWORKS}
    if not any(found.values()):
        return {}
    from engine.advice.intervals import summarise

    return {
        network: [to_plain(summarise(one)) for one in measured]
        for network, measured in found.items()
        if measured
    }


def _recommended(voice: Voice) -> dict[str, Any]:
    """Which checkpoint to export, by network, as far as anything was measured."""
    trained = [network for network in NETWORKS if voice.history(network).exists()]
    if not trained:
        return {}
    from engine.advice.best import recommend

    found = {network: recommend(voice, network) for network in trained}
    return {network: to_plain(one) for network, one in found.items() if one is not None}


def _next(voice: Voice) -> dict[str, str] | None:
    """What the voice lacks most, and the command that mends it."""
    lacking = ssrn_to_train(voice)
    return None if lacking is None else dict(zip(("why", "command"), lacking, strict=True))


def _missing_spend(spend: SpendLog) -> dict[str, Any]:
    """What the sums lack, where lines of the spend are damaged."""
    count = len(spend.unreadable)
    return {"problem": f"{spend.path}: {count:,} damaged, not counted"} if count else {}


def _preset(settings: VoiceSettings, networks: dict[NetworkName, dict[str, Any]]) -> str:
    """The preset of a voice; `own size` where a network has other widths."""
    sizes = [network["size"] for network in networks.values() if "size" in network]
    return OWN_SIZE if any(size.startswith(OWN_SIZE) for size in sizes) else settings.preset


def _last_price(settings: VoiceSettings, spend: SpendLog) -> float:
    """US dollars an hour; with an automatic price, the last one."""
    if settings.price_auto and spend.entries:
        return spend.entries[-1].price
    return settings.price


def _describe_network(voice: Voice, network: NetworkName) -> dict[str, Any]:
    bad = [entry.path for entry in damaged_checkpoints(voice.folder / network / "checkpoints")]
    checkpoints = [entry for entry in voice.checkpoints(network) if entry.path not in bad]
    damaged = {"damaged": [path.name for path in bad]} if bad else {}
    if not checkpoints:
        return {**_NOTHING, **damaged}
    newest = read_state(checkpoints[-1].path)
    base = [entry for entry in checkpoints if entry.step == newest.base_step]
    origin = read_state(base[0].path).symbols_from if base else {}
    return {
        "step": newest.step,
        "base_step": newest.base_step,
        "size": size_of(newest.network_spec),
        "parameters": newest.parameters,
        "checkpoints": [entry.step for entry in checkpoints],
        **({"symbols_from": origin} if origin else {}),
        **damaged,
    }
