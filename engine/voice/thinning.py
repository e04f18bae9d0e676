"""Which samples of the series at checkpoints are kept as they grow old."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from engine.run.sample import Sample

NEWEST = 8
"""The newest samples of a sentence, of which none is removed."""


def superseded_samples(
    samples: Iterable[Sample], losses: Mapping[int, float], keep: Collection[str] = ()
) -> list[Sample]:
    """Choose the automatic samples that are not kept; what a person asked for always is.

    Of each sentence the first, the best and the newest few are kept; the others lie the further
    apart the older they are: the distance doubles, and so does the age.

    Args:
        samples: all samples of the network in training, in any order.
        losses: held-out losses by step, as far as they are known: the least is the best.
        keep: names of files that somebody still needs.
    """
    series: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.automatic:
            series.setdefault(sample.sentence, []).append(sample)
    return [
        sample
        for made in series.values()
        for sample in _superseded(made, losses)
        if sample.path.name not in keep
    ]


def _superseded(made: Sequence[Sample], losses: Mapping[int, float]) -> list[Sample]:
    # Steps may be made twice, as after a rollback: the later sample counts.
    by_step = {sample.step: sample for sample in sorted(made, key=lambda one: one.time)}
    steps = sorted(by_step)
    best = min((step for step in steps if step in losses), key=losses.__getitem__, default=None)
    stays = [by_step[step] for step in _spread(steps) | ({best} if best is not None else set())]
    return [sample for sample in made if not any(sample is one for one in stays)]


def _spread(steps: Sequence[int]) -> set[int]:
    """The newest of some steps, the first, and those between them at doubling distances."""
    old, newest = list(steps[:-NEWEST]), steps[-NEWEST:]
    kept, following = set(newest), newest[0]
    for older, step in zip(reversed(old[:-1]), reversed(old[1:]), strict=True):
        if following - older > newest[-1] - following:
            kept.add(step)
            following = step
    return kept | set(steps[:1])
