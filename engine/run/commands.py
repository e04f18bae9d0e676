"""What a person can ask of a running engine: small values, read by the trainer between steps."""

import threading
import unicodedata
from collections import deque
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TypeVar

import msgspec

from engine.choices import NetworkName
from engine.machine.cloud.machine import Interruption, SpotNews
from engine.run.sample import StepChoice
from engine.run.stop import SetBudget, StopAt, StopRule

# A minute or two of speech.
MAX_SENTENCE_CHARACTERS = 2_000
MAX_SENTENCES = 12


def clean_sentence(text: str) -> str:
    """A sentence on one line: control characters, such as a clipboard may have, become spaces.

    What is too long is cut.
    """
    shown = (
        " " if unicodedata.category(letter) in ("Cc", "Cs") else letter
        for letter in text[:MAX_SENTENCE_CHARACTERS]
    )
    return " ".join("".join(shown).split())


class Pause(msgspec.Struct, frozen=True, tag=True):
    """Make no steps until `Continue`; a paused run can still speak and be saved."""


class Continue(msgspec.Struct, frozen=True, tag=True):
    """Resume after `Pause`; at the stop, train on without one; after a check that found errors,
    begin."""

    network: NetworkName | None = None
    """Which one; None for all that are paused, and at the stop only where no other trains."""


class Hold(msgspec.Struct, frozen=True, tag=True):
    """After a check that found errors, wait for an answer however long it takes."""


class CleanFirst(msgspec.Struct, frozen=True, tag=True):
    """After a check that found errors, make a clean copy of the corpus and train on that."""


class SaveCheckpoint(msgspec.Struct, frozen=True, tag=True):
    """Write a checkpoint at the next step boundary."""


class Audition(msgspec.Struct, frozen=True, tag=True):
    """Speak a sentence (or, for SSRN, a held-out recording)."""

    sentence: str = ""
    """What to say; empty for the first of the voice's sentences."""
    step: StepChoice | None = None
    """The checkpoint of Text2Mel that speaks; None for the weights of this moment."""
    ssrn_step: StepChoice | None = None
    """The checkpoint of SSRN; None for the newest."""
    for_comparison: bool = False
    """Whether it is for a blind comparison: nothing of it is shown before it is there, and no
    screen is to play it by itself."""
    network: NetworkName | None = None
    """Whose sample it is to be: SSRN's is its held-out recording again. None for Text2Mel's where
    that is trained."""
    automatic: bool = False
    """Whether nobody asked for it, as in the series: it gives way to what a person asks for."""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "sentence", clean_sentence(self.sentence))


class MarkHeard(msgspec.Struct, frozen=True, tag=True):
    """Note that somebody has played a sample."""

    file: str
    """Its name in the voice's `samples/`."""


class LeaveOut(msgspec.Struct, frozen=True, tag=True):
    """Leave a clip out of training, or take it in again: from the first step, or the next run."""

    clip_id: str
    leave_out: bool = True


class SetSentences(msgspec.Struct, frozen=True, tag=True):
    """Change what auditions and the series speak: each as `clean_sentence` has it, and once."""

    sentences: tuple[str, ...]
    """What is blank is left out, and so is what comes after the first twelve."""

    def __post_init__(self) -> None:
        cleaned = dict.fromkeys(filter(None, map(clean_sentence, self.sentences)))
        msgspec.structs.force_setattr(self, "sentences", tuple(cleaned)[:MAX_SENTENCES])


class PlotAttention(msgspec.Struct, frozen=True, tag=True):
    """Plot the attention of the fixed held-out sentence now."""


class TrainNext(msgspec.Struct, frozen=True, tag=True):
    """Train another network of the voice too, in the same run; `Snapshot.other` shows it."""

    network: NetworkName
    rule: StopRule | None = None
    """When to stop it; None trains it without a stop."""


class ScreenDetached(msgspec.Struct, frozen=True, tag=True):
    """The last screen has gone: from now on end at the stop, and while paused, without waiting."""

    keep_training: bool = False
    """Whether the person who left asked for training to go on: that ends a pause, not the run."""


class ScreenAttached(msgspec.Struct, frozen=True, tag=True):
    """There is a screen again: from now on wait at the stop for what the person wants next."""


class KeyPressed(msgspec.Struct, frozen=True, tag=True):
    """A key was pressed on a screen that can steer: a wait for the person starts anew."""


class TerminalStalled(msgspec.Struct, frozen=True, tag=True):
    """The terminal of a screen has stopped taking output, or takes it again."""

    stalled: bool
    """Whether it takes none; to the trainer, whether no screen's terminal does."""


class Finish(msgspec.Struct, frozen=True, tag=True):
    """Write a checkpoint and end."""

    by_signal: bool = False
    """Whether a signal ended the process, and not a person at a screen: whoever resumes the run
    then keeps its stop."""


Command = (
    StopAt
    | SetBudget
    | Pause
    | Continue
    | Hold
    | CleanFirst
    | SaveCheckpoint
    | Audition
    | MarkHeard
    | LeaveOut
    | SetSentences
    | PlotAttention
    | TrainNext
    | ScreenDetached
    | ScreenAttached
    | KeyPressed
    | TerminalStalled
    | Finish
)
"""What screens send, of this process and of others; `engine.serialization` writes and reads it."""


class FolderGone(msgspec.Struct, frozen=True):
    """The voice folder was moved, deleted or locked by another run: save if possible, and end."""


Message = Command | SpotNews | FolderGone
"""What the trainer reads: what a person asks, and what the watches over machine and folder tell."""
_M = TypeVar("_M", bound=Message)


class Inbox:
    """Commands and news on their way to the trainer; sending never waits."""

    def __init__(self, hurried: threading.Event | None = None) -> None:
        # Its `put` holds no lock that the code interrupted by a signal could be holding.
        self._arriving: SimpleQueue[Message] = SimpleQueue()
        self._arrived: deque[Message] = deque()
        self.hurried = hurried or threading.Event()
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

    def finish_requested(self) -> bool:
        """Whether a command that ends the run waits inside; for long work that would be lost."""
        return self.find(Finish, Interruption, FolderGone) is not None

    def newest(self, kind: type[_M]) -> _M | None:
        """Return the command of a kind that came last; it stays inside."""
        self._collect()
        found = (command for command in reversed(self._arrived) if isinstance(command, kind))
        return next(found, None)

    def find(self, *kinds: type[_M], seconds: float = 0.0) -> _M | None:
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

    def remove(self, command: Message) -> None:
        """Take out a command that `find` found."""
        self._arrived.remove(command)

    def _collect(self, seconds: float = 0.0) -> None:
        """Move what has arrived to where it can be looked at; wait so long for the first."""
        try:
            self._arrived.append(self._arriving.get(block=seconds > 0, timeout=seconds or None))
            while True:
                self._arrived.append(self._arriving.get_nowait())
        except Empty:
            return


# What one of the networks carries out for the whole run.
_FOR_ONE = (SetBudget, SetSentences, Audition, MarkHeard, LeaveOut)


class Inboxes:
    """The inboxes of the networks that a run trains; sending never waits."""

    def __init__(self) -> None:
        """Begin without any."""
        self._open: dict[NetworkName, Inbox] = {}
        self.hurried = threading.Event()
        """That of all of them; see `Inbox`."""
        self.finishing = False
        """Whether the run was asked to end, so that no other network is to begin."""

    def open(self, network: NetworkName) -> Inbox:
        """Open the inbox of a network."""
        inbox = Inbox(self.hurried)
        self._open = {**self._open, network: inbox}
        return inbox

    def close(self, network: NetworkName) -> None:
        """Send nothing more to a network, whose trainer has ended."""
        if len(self._open) > 1:
            self._open = {one: inbox for one, inbox in self._open.items() if one != network}

    def send(self, message: Message) -> None:
        """Send to the network that is named, or to all that the message concerns."""
        inboxes = self._open
        self.finishing |= isinstance(message, Finish)
        if isinstance(message, StopAt | Continue) and message.network is not None:
            chosen = [inboxes[message.network]] if message.network in inboxes else []
        elif isinstance(message, _FOR_ONE):
            chosen = list(inboxes.values())[:1]
        else:
            chosen = list(inboxes.values())
        for inbox in chosen:
            inbox.send(message)
