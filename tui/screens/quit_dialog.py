"""The question behind `q`."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.formatting import plural, printable
from engine.run.snapshot import Phase, Snapshot
from tui.formatting import dollars, price
from tui.screens.dialog import Dialog

_ANSWERS = {"stay": "esc", "keep": "k", "stop": "s"}
"""Answers in their order and the key of each: the same whatever the run does. Enter takes the
highlighted one, at first the one that changes nothing."""


class QuitDialog(Dialog[str]):
    """Asks whether the run goes on without the screen, `keep`, or ends with it, `stop`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("s", "choose('stop')", "save and end"),
        ("k", "choose('keep')", "leave"),
    ]

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        snapshot = snapshot.busiest
        self._about = Static(_about(snapshot), markup=False)
        words = answers(snapshot)
        self._answers = _Answers(
            *(Option(_prompt(id, words[id]), id=id) for id in _ANSWERS), compact=True
        )
        self._snapshot = snapshot

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = "quit"
            yield self._about
            yield self._answers

    def show(self, snapshot: Snapshot) -> None:
        """Say what the answers mean now; close once the run ends by itself."""
        snapshot = snapshot.busiest
        if snapshot.phase is Phase.STOPPING or snapshot.phase.ended:
            self.dismiss(None)
            return
        self._snapshot = snapshot
        about = _about(snapshot)
        if about != str(self._about.content):
            self._about.update(about)
        self._mark()

    def on_option_list_option_highlighted(self) -> None:
        self._mark()

    def _mark(self) -> None:
        """Write the answers, with a mark at the one that Enter takes: colours may be few."""
        words, chosen = answers(self._snapshot), self._answers.highlighted_option
        for id in _ANSWERS:
            is_chosen = chosen is not None and chosen.id == id
            prompt = _prompt(id, words[id], chosen=is_chosen)
            if prompt != self._answers.get_option(id).prompt:
                self._answers.replace_option_prompt(id, prompt)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.action_choose(event.option_id or "")

    def action_choose(self, answer: str) -> None:
        self.dismiss(None if answer == "stay" else answer)


class _Answers(OptionList):
    """An option list without pages, which need room."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "first", show=False),
        Binding("pagedown", "last", show=False),
    ]


def _prompt(answer: str, words: tuple[str, str], *, chosen: bool = False) -> Content:
    does, costs = words
    mark = ">" if chosen else " "
    lines = [Content.assemble((f"{mark}{_ANSWERS[answer]:>4}", "bold $training"), f"  {does}")]
    if costs:
        lines.append(Content.styled(f"       {costs}", "$quiet"))
    return Content("\n").join(lines)


def _about(snapshot: Snapshot) -> str:
    return " ".join(filter(None, (_about_phase(snapshot), _about_others(snapshot))))


def _about_phase(snapshot: Snapshot) -> str:
    """Say what the run does, and what would be lost if the disk takes no checkpoints."""
    step = f"{snapshot.step:,}"
    match snapshot.phase:
        case Phase.CHECKED:
            return "Training has not started; nothing is lost."
        case Phase.PREPARING:
            about = "The run is preparing."
        case Phase.AT_STOP if snapshot.saved:
            about = f"Stopped at {step}, saved."
        case Phase.AT_STOP:
            about = f"Step {step} could not be saved; esc stays, then c tries again."
        case phase:
            about = f"The run is {phase.value} at step {step}."
    if not snapshot.saving_trouble or not snapshot.unsaved:
        return about
    steps, why = plural(snapshot.unsaved, "step"), printable(snapshot.saving_trouble).rstrip(".")
    if snapshot.saving_step is not None:
        return f"{about} {steps} not saved yet: {why}."
    return f"{about} {steps} cannot be saved: {why}; otherwise lost two minutes after you stop."


def _about_others(snapshot: Snapshot) -> str:
    others = snapshot.screens - 1
    if others < 1:
        return ""
    screens = "Another screen is" if others == 1 else f"{others} other screens are"
    pause = " The last to leave ends the pause." if snapshot.phase is Phase.PAUSED else ""
    return f"{screens} open on it.{pause}"


def answers(snapshot: Snapshot) -> dict[str, tuple[str, str]]:
    """Say what each answer does to the run, and to the money where a price is known."""
    costs = snapshot.price > 0
    machine = f"the machine still costs {price(snapshot.price)}" if costs else ""
    goes_on = _goes_on(snapshot)
    return {
        "stay": ("stay here", ""),
        "keep": (_keep_words(snapshot), _cost_to_come(snapshot) if costs and goes_on else machine),
        "stop": (_stop_words(snapshot), machine),
    }


def _goes_on(snapshot: Snapshot) -> bool:
    """Whether the run makes steps once this screen is left."""
    shared = snapshot.screens > 1
    still = snapshot.phase is Phase.AT_STOP or (snapshot.phase is Phase.PAUSED and shared)
    return not still


def _cost_to_come(snapshot: Snapshot) -> str:
    rate = price(snapshot.price)
    if snapshot.end_point is None and not snapshot.stop_text:
        return f"{rate} until you stop it"
    where = "budget" if snapshot.budget_comes_first else "stop"
    spent = snapshot.spent_at_stop
    there = "" if spent is None else f" ({dollars(spent)} in all)"
    return f"{rate} until its {where}{there}"


def _keep_words(snapshot: Snapshot) -> str:
    """Say what becomes of the run if the person does not end it."""
    shared = snapshot.screens > 1
    match snapshot.phase:
        case Phase.CHECKED:
            return "leave; it trains on the usable clips"
        case Phase.PREPARING:
            return "leave; it trains without a screen"
        case Phase.PAUSED:
            return "leave it paused" if shared else "leave; the pause ends, it trains on"
        case Phase.AT_STOP:
            return "leave it to the others" if shared else "leave; it saves and ends"
    return "leave; training continues"


def _stop_words(snapshot: Snapshot) -> str:
    if snapshot.phase.before_steps:
        words = "end the run before its first step"
    else:
        words = "save and end the run"
    return f"{words}, for everyone" if snapshot.screens > 1 else words
