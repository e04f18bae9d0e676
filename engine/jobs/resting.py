"""A voice that no run trains, answering as a run does: it shows its samples and speaks."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.advice.advice import advise_voice
from engine.advice.best import recommend
from engine.advice.intervals import summarise
from engine.advice.kept import kept_checkpoints
from engine.choices import NetworkName
from engine.errors import InputError
from engine.files import changed_at
from engine.jobs.info import describe
from engine.run.commands import MAX_SENTENCES, Audition, Command, MarkHeard
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.speech.sample_list import SampleList
from engine.voice.evaluations import read_evaluations
from engine.voice.folder import Voice
from engine.voice.samples import read_samples

if TYPE_CHECKING:
    # With torch, which takes seconds: not before something is to be spoken.
    from engine.speech.audition import Auditions


class RestingVoice:
    """A voice folder without a run. Any thread may call it."""

    attached: bool = True
    reading: bool = False

    def __init__(
        self, folder: Path, on_change: Callable[[], None], last: Snapshot | None = None
    ) -> None:
        """Read the folder.

        Args:
            folder: the voice folder.
            on_change: is called in any thread when a sample begins or ends to be heard.
            last: what the run showed that has just ended; its figures are kept.

        Raises:
            InputError: as `engine.jobs.info.describe`.
        """
        self._folder = folder
        self._read_state = _state_of(folder)
        voice = Voice.open(folder)
        self._publisher = Publisher(_snapshot_of(voice, last))
        self._publisher.on_speaking = on_change
        self._list = SampleList(voice, self._publisher)
        self._auditions: Auditions | None = None
        self._turn = threading.Lock()

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot; never waits."""
        return self._publisher.snapshot

    def send(self, command: Command) -> None:
        """Have a sentence spoken, or note that a sample was heard.

        The first sentence takes seconds: torch is loaded for it.

        Raises:
            InputError: it is something that only a run can do.
        """
        if isinstance(command, Audition):
            self._speaking().request(command)
        elif not isinstance(command, MarkHeard):
            raise InputError("No run trains this voice.")
        elif self._auditions is not None:
            self._auditions.mark_heard(command.file)
        else:
            with self._turn:
                self._list.mark_heard(command.file)
                self._list.write_marks()

    def _speaking(self) -> "Auditions":
        from engine.speech.audition import Auditions

        with self._turn:
            if self._auditions is None:
                voice = Voice.open(self._folder)
                self._publisher.update(samples=())  # it lists them itself
                self._auditions = Auditions(voice, self._publisher)
            return self._auditions

    def refresh(self) -> None:
        """Read what another process has changed in the folder, unless a sample is being made.

        Raises:
            InputError: as `__init__`.
        """
        with self._turn:
            state = _state_of(self._folder)
            idle = self._auditions is None or self._auditions.idle
            if idle and state != self._read_state:
                self._read()
                self._read_state = state

    def _read(self) -> None:
        voice = Voice.open(self._folder)
        new = _snapshot_of(voice, None)
        self._publisher.update(
            samples=tuple(read_samples(voice)),
            step=new.step,
            checkpoint_step=new.checkpoint_step,
            checkpoints=new.checkpoints,
            sentences=new.sentences,
            scores=new.scores,
            advice=new.advice,
            recommended=new.recommended,
        )

    def close(self) -> None:
        """Give up what is being spoken."""
        if self._auditions is not None:
            self._auditions.close()


def _snapshot_of(voice: Voice, last: Snapshot | None) -> Snapshot:
    known = describe(voice.folder)
    network: NetworkName = "text2mel" if known["networks"]["text2mel"]["step"] else "ssrn"
    step, base_step = (known["networks"][network][name] for name in ("step", "base_step"))
    spoken = dict.fromkeys(sample.sentence for sample in read_samples(voice))
    at_rest = Snapshot(
        phase=Phase.STOPPED,
        voice=voice.name,
        voice_folder=voice.folder,
        network=network,
        preset=known["preset"],
        recipe=known["recipe"],
        step=step or 0,
        base_step=base_step or 0,
        checkpoint_step=step,
        spent=voice.spend.usd,
        budget=voice.settings.budget,
        sentences=voice.settings.sentences or tuple(spoken)[-MAX_SENTENCES:],
        checkpoints=kept_checkpoints(voice),
        scores=tuple(map(summarise, read_evaluations(voice, network))),
        advice=advise_voice(voice, network),
        recommended=recommend(voice, network),
    )
    if last is None:
        return at_rest
    return replace(
        last,
        sentences=last.sentences or at_rest.sentences,
        checkpoints=at_rest.checkpoints,
        samples=(),
        auditioning=False,
        speaking=None,
        steps_per_second=None,
        alarm="",
    )


def _state_of(folder: Path) -> list[int | None]:
    """When what is shown of a folder changed last; a part that is not there has None."""
    parts = (
        "voice.toml",
        "samples/samples.jsonl",
        "evaluation.jsonl",
        "comparisons.jsonl",
        "text2mel/checkpoints",
        "ssrn/checkpoints",
    )
    return [changed_at(folder / part) for part in parts]
