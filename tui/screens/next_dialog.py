"""The question behind `n`: how long to train the voice's other network."""

from engine.errors import InputError
from engine.jobs.demo import DEMO_STOPS
from engine.run.commands import TrainNext
from engine.run.snapshot import Snapshot
from engine.run.stop import NONE, STOP_FORMS, StopRule, parse_stop
from tui.screens.dialog import InputDialog

_USUAL_STOP = "+5k"


class NextDialog(InputDialog[TrainNext]):
    """Asks when SSRN is to stop; Enter starts its training in the same run."""

    heading = "go on with SSRN"
    FIRST = (
        "Text2Mel turns text into a coarse spectrogram, SSRN makes sound of it. "
        "When should SSRN stop?"
    )
    HINTS = (STOP_FORMS, NONE)
    KEYS = "enter starts it · esc cancels"

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(DEMO_STOPS["ssrn"] if snapshot.demo else _USUAL_STOP, select=True)

    def on_input_changed(self) -> None:
        self._read()

    def on_input_submitted(self) -> None:
        """Close with the answer, unless it cannot be read."""
        answer = self._read()
        if answer is not None:
            self.dismiss(answer)

    def _read(self) -> TrainNext | None:
        try:
            rule = _rule(self.text)
        except InputError as error:
            self.say(str(error), trouble=True)
            return None
        until = "until you stop it" if rule is None else f"until {rule.text}"
        self.say(f"trains SSRN {until}; this screen then shows both networks")
        return TrainNext("ssrn", rule)


def _rule(text: str) -> StopRule | None:
    return None if text.lower() == NONE else parse_stop(text)
