"""Several processes that train one network: what rank 0 tells the others, and what they do.

They make the same steps, each on its share of every batch, and know no voice: they get the weights
from rank 0, and read the features where it does, or get them from it on other machines.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.choices import NetworkName
from engine.data.audio import AudioSpec
from engine.data.batches import BatchSource, Prefetcher
from engine.data.clips import Limits
from engine.data.frames import Frames
from engine.errors import RankLostError
from engine.files import make_folder, replacing, require_room, unusable_path
from engine.formatting import plural
from engine.machine.device import make_repeatable
from engine.machine.ranks import Order, Ranks
from engine.networks.specs import read_spec
from engine.run.publisher import Publisher
from engine.run.recipe import Recipe
from engine.serialization import from_msgpack, to_msgpack, to_plain
from engine.training.rank_learner import RankLearner
from engine.training.training_data import TrainingData
from engine.voice.folder import Voice

# Bytes of features that are sent at a time.
_PIECE = 2**24


@dataclass(frozen=True)
class Plan:
    """What rank 0 sends to the others before the first step."""

    network: NetworkName
    spec: dict[str, Any]
    """The network's sizes, as `read_spec` takes them."""
    recipe: Recipe
    precision: str
    """The dtype's name in torch, such as `bfloat16`."""
    seed: int
    limits: Limits
    texts: Mapping[int, list[int]]
    """The symbols of the clips to train on, by the clips' numbers."""
    features: Path
    """The file of features on machine 0."""
    audio: AudioSpec
    frames: int
    """Frames of all clips."""
    spans: list[tuple[int, int]]
    """First frame of each clip, and the one behind its last."""

    def learner(self, device: torch.device) -> RankLearner:
        """Make a learner for a rank that follows; nobody speaks with its EMA, so it has none."""
        recipe = replace(self.recipe, ema_decay=None)
        spec, precision = read_spec(self.network, self.spec), getattr(torch, self.precision)
        given: dict[str, Any] = {"precision": precision, "seed": self.seed, "limits": self.limits}
        return RankLearner(spec, recipe, device=device, **given)

    def batches(self, store: Frames) -> BatchSource:
        """Return the source of the same batches as rank 0's."""
        return BatchSource(
            store,
            self.texts,
            magnitudes=self.network == "ssrn",
            batch_size=self.recipe.batch_size,
            crop_frames=self.recipe.crop_frames,
            tempo=self.recipe.tempo,
            seed=self.seed,
        )

    @property
    def section(self) -> tuple[int, int]:
        """The bytes of the file that this network reads, as `[first, end)`.

        Text2Mel reads no magnitudes.
        """
        mels = 2 * self.frames * self.audio.n_bins
        end = mels + 2 * self.frames * self.audio.n_mels
        return (mels if self.network == "text2mel" else 0), end


def lead(
    ranks: Ranks, learner: RankLearner, voice: Voice, network: NetworkName, data: TrainingData
) -> None:
    """As rank 0, have the others prepare; from here on, the learner's steps are those of all.

    Raises:
        RankLostError: one of them has ended.
    """
    store, settings = data.store, voice.settings
    plan = Plan(
        network=network,
        spec=to_plain(learner.spec),
        recipe=learner.recipe,
        precision=str(learner.precision).removeprefix("torch."),
        seed=settings.seed,
        limits=settings.limits,
        texts={i: voice.vocabulary.indices(store.clips[i].text) for i in data.training},
        features=store.path.absolute(),
        audio=store.audio,
        frames=store.frames,
        spans=store.spans.tolist(),
    )
    ranks.order(Order("prepare"))
    ranks.share_bytes(to_msgpack(plan))
    _open_features(ranks, plan)
    ranks.use_devices()
    learner.join(ranks)


def report_ranks(ranks: Ranks, publisher: Publisher) -> None:
    """Say how many processes train, and whether torchrun had to start them again."""
    place = ranks.place
    text = f"{place.ranks} processes share each batch"
    if place.restarts:
        again = f"torchrun has restarted them {plural(place.restarts, 'time')}"
        publisher.event(f"{text}; {again}, because one was lost", "warning")
    else:
        publisher.event(text)


def follow(ranks: Ranks) -> None:
    """Do what rank 0 orders, until it says that this is the end.

    Raises:
        RankLostError: another rank has ended.
        InputError, EngineError: this one cannot do its share.
    """
    if ranks.next_order().kind == "end":
        return
    plan = from_msgpack(ranks.share_bytes(), Plan, "what rank 0 says")
    store = _open_features(ranks, plan)
    make_repeatable(ranks.device)
    ranks.use_devices()
    learner, batches = plan.learner(ranks.device), plan.batches(store)
    learner.join(ranks)
    learner.probe_memory(batches.longest())
    batches.keep_on(ranks.device)
    with Prefetcher(batches, ranks.device) as prefetcher:
        try:
            while (order := ranks.next_order()).kind != "end":
                if order.kind == "take state":
                    learner.agree()
                else:
                    learner.follow(order, prefetcher.next(order.step, order.salt))
        except RankLostError:
            # Rank 0 may have failed in this step, and ended all.
            if ranks.next_order().kind != "end":
                raise


def _open_features(ranks: Ranks, plan: Plan) -> Frames:
    """Open the features; another machine than rank 0's receives a copy first, kept in its cache."""
    here, place = plan.features, ranks.place
    if place.machine:
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        folder = Path(cache).expanduser() / "voicecoach"
        here = folder / f"{plan.features.stem}-{plan.network}.features"
    lacks_copy = place.machine > 0 and place.local_rank == 0 and not here.exists()
    said = ranks.exchange("wanted" if lacks_copy else "there")
    receivers = [rank for rank, text in enumerate(said) if text == "wanted"]
    if lacks_copy:
        _receive_features(ranks, plan, here)
    elif ranks.leads:
        for receiver in receivers:
            _send_features(ranks, plan, receiver)
    ranks.exchange("all are there")
    return Frames(here, plan.audio, plan.frames, np.asarray(plan.spans))


def _send_features(ranks: Ranks, plan: Plan, receiver: int) -> None:
    place, end = plan.section
    with plan.features.open("rb") as file:
        file.seek(place)
        while place < end:
            piece = file.read(min(_PIECE, end - place))
            ranks.send(torch.frombuffer(bytearray(piece), dtype=torch.uint8), receiver)
            place += len(piece)


def _receive_features(ranks: Ranks, plan: Plan, path: Path) -> None:
    """Write what `_send_features` sends; the rest of the file stays a hole, which nobody reads."""
    place, end = plan.section
    require_room(path, end - place, "The features that rank 0 sends")
    try:
        make_folder(path.parent)
        with replacing(path) as file:
            file.truncate(end)
            file.seek(place)
            while place < end:
                piece = torch.empty(min(_PIECE, end - place), dtype=torch.uint8)
                ranks.receive(piece)
                file.write(piece.numpy().data)
                place += len(piece)
    except OSError as error:
        raise unusable_path(path, error) from error
