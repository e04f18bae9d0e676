"""What is wrong with one recording, before it is known which lines name it."""

from dataclasses import dataclass

from engine.check.report import Severity


@dataclass(frozen=True, slots=True)
class Fault:
    """A finding without its place; the fields are those of `engine.check.report.Finding`."""

    kind: str
    severity: Severity
    figure: str
    advice: str
    value: float | None = None
