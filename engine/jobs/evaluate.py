"""`voicecoach evaluate`: measures checkpoints of a voice, and keeps what was measured."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.advice.best import recommend
from engine.advice.duels import duels_between
from engine.advice.intervals import summarise
from engine.advice.kept import kept_checkpoints, resolve
from engine.advice.measures import MEASURES
from engine.choices import NETWORK_TITLES, NetworkName
from engine.errors import EngineError, InputError
from engine.evaluation.evaluate import Evaluator
from engine.machine.device import compute_on_one_thread
from engine.run.evaluation import CheckpointScores, Evaluation, Recommendation
from engine.run.sample import KeptCheckpoint, StepChoice
from engine.serialization import to_plain
from engine.voice.evaluations import append_evaluation, read_evaluations
from engine.voice.folder import Voice

Progress = Callable[[str], AbstractContextManager[Callable[[int, int, str], None]]]
"""Shows a task; what it yields is called with what is done, the total, and of what."""
Choice = StepChoice | Literal["all"]


@dataclass(frozen=True)
class Evaluated:
    """What was measured of checkpoints of a voice."""

    voice: Voice
    network: NetworkName
    evaluations: tuple[Evaluation, ...]
    """Of those that were asked for, the first step first."""
    measured: frozenset[int]
    """The steps of all that have an evaluation."""
    kept: tuple[KeptCheckpoint, ...]
    """The checkpoints of the network on disk."""
    recommended: Recommendation | None
    absent: str
    """Why models take no part; empty where all do, and where none was needed."""
    troubles: tuple[str, ...]
    """Why some checkpoints were not evaluated, or their evaluations not kept."""

    @property
    def scores(self) -> tuple[CheckpointScores, ...]:
        """The evaluations in figures."""
        return tuple(map(summarise, self.evaluations))

    @property
    def won(self) -> dict[int, float]:
        """The share that each step won of its comparisons with the others, the best step first.

        Empty where too little was measured alike.
        """
        duels = duels_between(self.evaluations)
        won = {step: duels.won(step) for step in duels.steps} if duels else {}
        return dict(sorted(won.items(), key=lambda one: (-round(one[1], 9), one[0])))

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        won = self.won
        scores = {one.step: one for one in self.scores}
        kept = {one.step: one for one in self.kept}
        return {
            "voice": self.voice.name,
            "network": self.network,
            "measures": {
                name: {"title": one.title, "unit": one.unit, "better": one.better}
                for name, one in MEASURES.items()
            },
            "checkpoints": [
                {
                    **to_plain(scores[one.step]),
                    "best": kept[one.step].best,
                    "best_by": list(kept[one.step].best_by),
                    "base": kept[one.step].base,
                    "won": won.get(one.step),
                    "evaluation": to_plain(one),
                }
                for one in self.evaluations
            ],
            "ranking": list(won),
            "recommended": to_plain(self.recommended),
            "judge_absent": self.absent,
            "problems": list(self.troubles),
        }


def evaluate(
    folder: Path,
    network: NetworkName,
    choices: Sequence[Choice],
    progress: Progress,
) -> Evaluated:
    """Evaluate checkpoints that have no evaluation yet, and gather those of all that are meant.

    Args:
        folder: the voice.
        network: the network whose checkpoints are meant.
        choices: which of them.
        progress: shows how far it is.

    Raises:
        InputError: there is no such voice or checkpoint, or nothing to evaluate it with.
    """
    compute_on_one_thread()
    voice = Voice.open(folder)
    steps = _steps(voice, network, choices)
    troubles: list[str] = []
    fresh: dict[int, Evaluation] = {}
    with progress(f"evaluating {NETWORK_TITLES[network]}") as show:
        title = ""
        evaluator = Evaluator(voice, lambda done, total: show(done, total, title))
        known = {one.step: one for one in read_evaluations(voice, network)}
        missing = [step for step in steps if step not in known or not evaluator.covers(known[step])]
        # The newest first: it is what a person asks about who does not wait for all.
        for number, step in enumerate(reversed(missing), 1):
            title = f"step {step:,}, {number} of {len(missing)}"
            try:
                fresh[step] = evaluator.evaluate(network, step)
                append_evaluation(voice, fresh[step])
            except (InputError, EngineError) as error:
                if len(missing) == 1 and step not in fresh:
                    raise
                troubles.append(str(error))
    found = known | fresh
    return Evaluated(
        voice,
        network,
        tuple(found[step] for step in steps if step in found),
        frozenset(found),
        tuple(one for one in kept_checkpoints(voice) if one.network == network),
        recommend(voice, network),
        evaluator.judges.absent if missing else "",
        tuple(troubles),
    )


def _steps(voice: Voice, network: NetworkName, choices: Sequence[Choice]) -> list[int]:
    """The steps that are meant, the first one first."""
    meant = {resolve(voice, network).step} if not choices else set()
    for choice in choices:
        if choice == "all":
            resolve(voice, network)  # says why there is none
            meant |= {entry.step for entry in voice.checkpoints(network)}
        else:
            meant.add(resolve(voice, network, choice).step)
    return sorted(meant)
