"""What the samples panel lists: one sentence, at every checkpoint that spoke it or could."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.choices import NetworkName
from engine.run.sample import KeptCheckpoint, Sample
from engine.run.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample of a sentence, or a checkpoint that has not spoken it."""

    network: NetworkName
    step: int
    sample: Sample | None
    checkpoint: KeptCheckpoint | None
    """Where the weights are still on disk."""

    @property
    def key(self) -> object:
        """What tells it from other rows, however often it is listed."""
        return self.sample.path if self.sample else (self.network, self.step)


def sentences_of(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the sentences there is something to hear of, or to speak, in their order.

    First those that the network speaks, then those that only samples have, the newest first; not
    those that were spoken for comparisons alone.
    """
    spoken = snapshot.sentences if snapshot.of("text2mel").network == "text2mel" else ()
    first, then = (spoken, ()) if snapshot.network == "text2mel" else ((), spoken)
    samples = [one for one in snapshot.samples if not one.for_comparison]
    own = [one.sentence for one in samples if one.network == snapshot.network]
    others = [one.sentence for one in samples if one.network != snapshot.network]
    return tuple(dict.fromkeys((*first, *reversed(own), *then, *reversed(others))))


def rows_of(snapshot: Snapshot, sentence: str) -> list[SampleRow]:
    """List a sentence at every checkpoint, the newest first."""
    samples = [sample for sample in snapshot.samples if sample.sentence == sentence]
    on_disk = {(one.network, one.step): one for one in snapshot.checkpoints}
    rows = [
        SampleRow(one.network, one.step, one, on_disk.get((one.network, one.step)))
        for one in samples
    ]
    rows += _unspoken(snapshot, rows)
    newest_first = sorted(enumerate(rows), key=lambda one: (one[1].step, one[0]), reverse=True)
    return [row for _, row in newest_first]


def _unspoken(snapshot: Snapshot, rows: Sequence[SampleRow]) -> list[SampleRow]:
    """Return the checkpoints that could speak a sentence, and have not."""
    if rows and all(row.network != snapshot.network for row in rows):
        return []
    spoken = {(row.network, row.step) for row in rows}
    return [
        SampleRow(one.network, one.step, None, one)
        for one in snapshot.checkpoints
        if one.network == snapshot.network and (one.network, one.step) not in spoken
    ]
