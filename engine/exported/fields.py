"""Reading JSON from a stranger: one field at a time, each within bounds."""

import unicodedata
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import InputError
from engine.formatting import brief

_SHOWN = 60
# Categories of characters that steer a terminal, or that no file can hold.
_UNWRITTEN = ("Cc", "Cs")
_Choice = TypeVar("_Choice", bound=str)


class Fields:
    """An object of a JSON file, read field by field.

    Every method raises `InputError` naming the file and the field when it is missing, of another
    type, or out of bounds.
    """

    def __init__(self, said: object, path: Path, name: str = "") -> None:
        self._path = path
        self._name = name
        if not isinstance(said, dict):
            raise self._error(name or "the content", said, "an object with fields is needed")
        self._said: dict[str, Any] = said

    def text(self, name: str, most: int = 200) -> str:
        """A text of one line, not empty and without control characters."""
        value = self._said.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= most:
            raise self.unfit(name, f"a text of 1 to {most:,} characters is needed")
        if any(unicodedata.category(character) in _UNWRITTEN for character in value):
            raise self.unfit(name, "control characters are not allowed")
        return value

    def choice(self, name: str, choices: tuple[_Choice, ...]) -> _Choice:
        """One of a few words."""
        value = self._said.get(name)
        for choice in choices:
            if value == choice:
                return choice
        raise self.unfit(name, f"it is one of {', '.join(choices)}")

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self._said.get(name)
        if type(value) is not int or not least <= value <= most:
            raise self.unfit(name, f"a whole number from {least:,} to {most:,} is needed")
        return value

    def number(self, name: str, *, above: float, most: float) -> float:
        """A number greater than one bound and not greater than the other."""
        return self._number(name, above=above, most=most, including=False)

    def share(self, name: str) -> float:
        """A number from 0 up to, not including, 1."""
        value = self._number(name, above=0, most=1, including=True)
        if value == 1:
            raise self.unfit(name, "a share below 1 is needed")
        return value

    def amount(self, name: str, most: float) -> float:
        """A number from 0 to a bound."""
        return self._number(name, above=0, most=most, including=True)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._said.get(name)
        if not isinstance(value, bool):
            raise self.unfit(name, "true or false is needed")
        return value

    def table(self, name: str) -> "Fields":
        """An object inside this one."""
        return Fields(self._said.get(name), self._path, self._full(name))

    def has(self, name: str) -> bool:
        """Whether there is such a field, and it is not null."""
        return self._said.get(name) is not None

    def require_only(self, *names: str) -> None:
        """Refuse fields of other names: they might change what the known ones mean."""
        for name in self._said:
            if name not in names:
                raise self.unfit(name, f"the fields here are {', '.join(names)}")

    def unfit(self, name: str, need: str) -> InputError:
        """The error that a field's value cannot be used, to be raised."""
        if name not in self._said:
            return InputError(f"{self._path}: {self._full(name)} is missing; {need}.")
        return self._error(self._full(name), self._said[name], need)

    def _number(self, name: str, *, above: float, most: float, including: bool) -> float:
        value = self._said.get(name)
        least = f"from {above:g}" if including else f"above {above:g}"
        error = self.unfit(name, f"a number {least} up to {most:g} is needed")
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise error
        # Not a number compares as false.
        if not (above < value <= most or (including and value == above)):
            raise error
        return float(value)

    def _full(self, name: str) -> str:
        full = f"{self._name}.{name}" if self._name else name
        return full if full.isprintable() and len(full) <= _SHOWN else repr(full)[:_SHOWN]

    def _error(self, name: str, value: object, need: str) -> InputError:
        return InputError(f"{self._path}: {name} is {brief(value)}; {need}.")
