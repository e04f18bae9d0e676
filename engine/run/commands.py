"""What a person can ask of a running engine: small values, read by the trainer between steps."""

import threading
import unicodedata
from collections import deque
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic

from engine.machine.cloud.news import Interruption, MachineNews
from engine.run.stop import MAX_USD, StopRule

# Characters; a minute or two of speech.
_LONGEST_SENTENCE = 2_000


def _shown(character: str) -> str:
    return " " if unicodedata.category(character) in ("Cc", "Cs") else character


@dataclass(frozen=True, slots=True)
class StopAt:
    """Stop when the rule says; None trains on until told otherwise."""

    rule: StopRule | None


@dataclass(frozen=True, slots=True)
class SetBudget:
    """Let all runs of the voice together cost so much; stopped at a smaller budget, go on."""

    usd: float
    """US dollars; 0 for no budget."""

    def __post_init__(self) -> None:
        """Refuse what is no sum, and could not be kept.

        Raises:
            ValueError: it is none.
        """
        if not 0 <= self.usd <= MAX_USD:
            raise ValueError(f"a budget is from $0 to ${MAX_USD:,.0f}")


@dataclass(frozen=True, slots=True)
class Pause:
    """Make no steps until `GoOn`; a paused run can still speak and be saved."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """Take up the steps after `Pause`; at the stop, train on without one; after a check that
    found errors, begin."""


@dataclass(frozen=True, slots=True)
class Hold:
    """After a check that found errors, wait for an answer however long it takes."""


@dataclass(frozen=True, slots=True)
class SaveCheckpoint:
    """Write a checkpoint at the next step boundary."""


@dataclass(frozen=True, slots=True)
class Audition:
    """Speak the sentence (or, for SSRN, a held-out recording) with the weights of this moment."""


@dataclass(frozen=True, slots=True)
class SetSentence:
    """Change what auditions speak.

    It is kept in the voice's settings, shown, and spoken in a thread that nobody waits for: of
    what comes from a terminal's clipboard or from another process, characters that a terminal
    obeys or no file can hold become spaces, and what is too long is cut.
    """

    sentence: str

    def __post_init__(self) -> None:
        words = "".join(map(_shown, self.sentence[:_LONGEST_SENTENCE])).split()
        object.__setattr__(self, "sentence", " ".join(words))


@dataclass(frozen=True, slots=True)
class DrawAttention:
    """Renew the attention of the fixed held-out sentence now."""


@dataclass(frozen=True, slots=True)
class GoUnattended:
    """The screen goes away: from now on end at the stop, and while paused, instead of waiting."""

    train_on: bool = False
    """Whether the person who left last asked for training to go on: that ends a pause, and not
    the run."""


@dataclass(frozen=True, slots=True)
class GoAttended:
    """A screen is there again: from now on wait at the stop for what the person wants next."""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """Somebody pressed a key on a screen that can steer: a wait for them starts its limit anew."""


@dataclass(frozen=True, slots=True)
class ScreenReads:
    """The terminal of a screen has stopped taking output, or takes it again."""

    reads: bool
    """Whether it takes output; to the trainer, whether that of any screen does."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Write a checkpoint and end."""

    by_signal: bool = False
    """Whether the process was told to end, and not the run by a person at a screen: whoever takes
    the run up then keeps to its stop."""


Command = (
    StopAt
    | SetBudget
    | Pause
    | GoOn
    | Hold
    | SaveCheckpoint
    | Audition
    | SetSentence
    | DrawAttention
    | GoUnattended
    | GoAttended
    | KeyPressed
    | ScreenReads
    | Finish
)


@dataclass(frozen=True, slots=True)
class FolderGone:
    """The voice folder was moved, deleted or locked by another run: save if possible, and end."""


Message = Command | MachineNews | FolderGone
"""What the trainer reads: what a person asks, and what the watches over machine and folder tell."""


class Inbox:
    """Commands and news on their way to the trainer; sending never waits."""

    def __init__(self) -> None:
        # Its `put` holds no lock that the code interrupted by a signal could be holding.
        self._arriving: SimpleQueue[Message] = SimpleQueue()
        self._arrived: deque[Message] = deque()
        self.hurried = threading.Event()
        """Set by whoever wants the end to wait for nothing more: neither for a disk that refuses
        the last steps, which are lost, nor for a mirror."""

    def send(self, command: Message) -> None:
        """Put a command in; safe from any thread and from signal handlers."""
        self._arriving.put(command)

    # What follows is for the engine's thread alone.

    def take(self) -> Message | None:
        """Take the oldest command out; None when there is none."""
        self._collect()
        return self._arrived.popleft() if self._arrived else None

    def wait(self, seconds: float) -> None:
        """Wait until a command arrives, at most so long."""
        if not self._arrived:
            self._collect(seconds)

    def asks_to_finish(self) -> bool:
        """Whether `Finish`, an `Interruption` or `FolderGone` waits inside; looked at while long
        work is under way that would be lost if it were not complete."""
        self._collect()
        ends = Finish | Interruption | FolderGone
        return any(isinstance(command, ends) for command in self._arrived)

    def interruption(self) -> Interruption | None:
        """The `Interruption` that waits inside; it stays there."""
        self._collect()
        found = (command for command in self._arrived if isinstance(command, Interruption))
        return next(found, None)

    def next_of(self, kinds: tuple[type[Message], ...], seconds: float) -> Message | None:
        """Return the oldest command of some kinds; wait for one at most so long.

        It stays inside, and so do all others in their order: they are for later.
        """
        deadline = monotonic() + seconds
        self._collect()
        while True:
            for command in self._arrived:
                if isinstance(command, kinds):
                    return command
            left = deadline - monotonic()
            if left <= 0:
                return None
            self._collect(left)

    def take_out(self, command: Message) -> None:
        """Take out a command that `next_of` found."""
        self._arrived.remove(command)

    def _collect(self, seconds: float = 0.0) -> None:
        """Move what has arrived to where it can be looked at; wait so long for the first."""
        try:
            self._arrived.append(self._arriving.get(block=seconds > 0, timeout=seconds or None))
            while True:
                self._arrived.append(self._arriving.get_nowait())
        except Empty:
            return
