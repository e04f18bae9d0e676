"""What screens with a table of keys share: refusals with a reason, help, and the bottom line."""

from typing import ClassVar

from textual import events
from textual.screen import Screen

from tui.keys import Key, Moment, find
from tui.screens.help_dialog import HelpDialog


class KeyedScreen(Screen[None]):
    """Keys that do nothing now are grey, and say why when they are pressed."""

    KEYS: ClassVar[tuple[Key, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self._keys_state: tuple[str, ...] = ()

    @property
    def moment(self) -> Moment:
        """What decides which keys do something now."""
        raise NotImplementedError

    def say(self, text: str, severity: str = "information") -> None:
        """Tell the person something that happened here."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the other meaning of a key; grey out what does nothing now."""
        key = find(action, self.KEYS)
        if key is None:
            return True
        if key.is_absent(self.moment):
            return False
        return None if key.rests(self.moment) else True

    def refresh_keys(self) -> None:
        """Draw the bottom line anew where a key came to rest or to life."""
        moment = self.moment
        state = tuple("hidden" if key.hidden(moment) else key.rests(moment) for key in self.KEYS)
        if state != self._keys_state:
            self._keys_state = state
            self.refresh_bindings()

    def on_key(self, event: events.Key) -> None:
        """Say of a key that does nothing now why it does not."""
        for key in self.KEYS:
            if event.key in key.keys and not key.hidden(self.moment):
                self.refuse(key)

    def refuse(self, key: Key) -> bool:
        """Say why a key does nothing now, where that is so; return whether it is."""
        why = key.rests(self.moment)
        if why:
            self.say(f"{key.label}: {why}", "warning")
        return bool(why)

    async def run_key(self, key: Key) -> None:
        """Do what a key does, as the palette asks for it."""
        if not self.refuse(key):
            await self.run_action(key.action)

    def action_help(self) -> None:
        """Show what every key does."""
        displays = [self.app.get_key_display(key.bindings()[0]) for key in self.KEYS]
        self.app.push_screen(HelpDialog(self.KEYS, self.moment, displays))

    def action_light_or_dark(self) -> None:
        """Change between the two themes."""
        dark = self.app.current_theme.dark
        self.app.theme = "voicecoach-light" if dark else "voicecoach-dark"
