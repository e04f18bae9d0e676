"""The question behind `b`: which of two sounds is better, without knowing whose they are."""

from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Thread
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.advice.comparisons import Standing
from engine.errors import EngineError, VoicecoachError
from engine.evaluation.blind_test import BlindTest, Round
from engine.files import write_whole
from engine.formatting import printable
from engine.run.snapshot import Phase, Snapshot
from engine.voice.comparisons import Answer
from tui.screens.dialog import Dialog
from tui.screens.hearing import HearingScreen

_SIDES = ("a", "b")
_ANSWERS: dict[str, tuple[Answer, str]] = {
    "1": ("a", "A is better"),
    "2": ("b", "B is better"),
    "0": ("same", "cannot tell"),
}


class BlindScreen(Dialog[Standing]):
    """Plays two sounds and takes answers until the person leaves; answers with the standing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("a", "hear('a')", "play A"),
        ("b", "hear('b')", "play B"),
        *((key, f"answer('{key}')", words) for key, (_, words) in _ANSWERS.items()),
        ("enter", "go_on", "go on"),
        ("y", "copy", "copy"),
    ]

    def __init__(self, screen: HearingScreen, steps: Sequence[int]) -> None:
        """Compare steps of the screen's run; of none, all checkpoints that are on disk."""
        super().__init__()
        self._run = screen
        self._steps = tuple(steps)
        self._said = Static("", markup=False)
        self._round: Round | None = None
        self._standing = Standing()
        self._ready = self._busy = self._decided = False
        self._trouble = self._note = self._revealed = ""
        self._heard: list[str] = []
        """The sides of this trial that were played, the last one last."""
        self._folder: TemporaryDirectory[str] | None = None
        # The voice folder may be on a disk that hangs.
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        Thread(target=self._do_work, name="blind comparison", daemon=True).start()

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=True) as box:
            box.border_title = "which is better?"
            yield self._said

    def on_mount(self) -> None:
        self._show()
        self._begin(self._open)

    def on_unmount(self) -> None:
        self._work.put(None)

    def show(self, snapshot: Snapshot) -> None:
        """Follow what the voice speaks; close once the run ends."""
        if snapshot.phase is Phase.STOPPING or snapshot.phase.ended:
            self.dismiss(self._standing)
        elif self._round is not None and not (self._ready or self._busy or self._trouble):
            self._begin(lambda: self._follow(snapshot))
        else:
            self._show()

    # In the thread.

    def _do_work(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except VoicecoachError as error:
                self._trouble = str(error)
            self._busy = False
            self.call_later(self._show)
        if self._folder is not None:
            self._folder.cleanup()

    def _open(self) -> None:
        run = self._run
        try:
            # Nothing in a path says which checkpoint it is.
            self._folder = TemporaryDirectory(prefix="voicecoach-")
        except OSError as error:
            raise EngineError(f"The two sounds cannot be written: {error}.") from error
        test = BlindTest(run.snapshot, self._steps)
        self._standing = test.standing
        self._round = Round(test, run.session.send)

    def _follow(self, snapshot: Snapshot) -> None:
        assert self._round is not None
        if not self._round.follow(snapshot):
            return
        assert self._round.sounds is not None
        for side, sound in zip(_SIDES, self._round.sounds, strict=True):
            write_whole(self._path(side), sound, make_folders=False)
        self._ready = True

    def _keep(self, answer: Answer) -> None:
        assert self._round is not None
        trial = self._round.trial
        try:
            self._round.answer(answer)
        except EngineError as error:
            # A full disk, perhaps: the answer can be given again.
            self._note = str(error)
            return
        self._standing = self._round.test.standing
        self._ready, self._heard = False, []
        self._decided = self._standing.decided
        self._revealed = f"A was {trial.a:,}, B was {trial.b:,}"

    # What the person does.

    def _begin(self, work: Callable[[], object]) -> None:
        self._busy = True
        self._work.put(work)

    def _path(self, side: str) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / f"{side}.wav"

    def action_hear(self, side: str) -> None:
        if self._ready and not self._decided:
            self._heard = [one for one in self._heard if one != side] + [side]
            self._note = ""
            self._run.hear(self._path(side), side.upper())
            self._show()

    def action_answer(self, key: str) -> None:
        if not self._ready or self._busy or self._decided:
            return
        if len(self._heard) < len(_SIDES):
            self._note = "listen to both first: a and b play them"
            self._show()
            return
        self._note = ""
        self._begin(lambda: self._keep(_ANSWERS[key][0]))
        self._show()

    def action_go_on(self) -> None:
        """Hear more pairs although the answers have decided."""
        if self._decided:
            self._decided = False
            self._show()

    def action_copy(self) -> None:
        """Copy the command that plays the sound that was chosen last."""
        if self._ready:
            self._run.copy_player(self._path((self._heard or ["a"])[-1]))

    def action_dismiss(self) -> None:  # type: ignore[override]
        self.dismiss(self._standing)

    # What is shown.

    def _show(self) -> None:
        content = Content("\n").join(self._lines())
        if content != self._said.content:
            self._said.update(content)

    def _lines(self) -> list[Content]:
        if self._trouble:
            return [Content.styled(printable(self._trouble), "$error"), _hint("esc closes")]
        if self._decided:
            told = [f"{self._standing.words}.", f"{self._revealed}."]
            return [*map(Content, told), _hint("enter continues · esc closes")]
        if self._round is None:
            return [Content("Reading the answers so far…"), _hint("esc closes")]
        sentence = printable(self._round.trial.sentence)
        lines = [Content(f"“{sentence}”"), *(self._side(side) for side in _SIDES)]
        for key, (_, words) in _ANSWERS.items():
            style = "" if len(self._heard) == len(_SIDES) else "$quiet"
            lines.append(Content.assemble((f"{key:>3}", "bold $training"), (f"  {words}", style)))
        note = Content.styled(printable(self._note), "$warning")
        lines.append(note if self._note else _hint(self._standing.progress))
        return [*lines, _hint("y copies a command that plays it · esc ends the test")]

    def _side(self, side: str) -> Content:
        playing = self._run.listening.status.playing == self._path(side)
        state = "▶ playing" if playing else "heard" if side in self._heard else ""
        if not self._ready:
            state = "is being spoken…"
        words = f"  play {side.upper()}  {state}"
        return Content.assemble((f"{side:>3}", "bold $training"), words)


def _hint(words: str) -> Content:
    return Content.styled(words, "$quiet")
