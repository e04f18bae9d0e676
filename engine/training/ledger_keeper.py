"""What the voice has cost up to this moment: the ledger on disk and the stretch under way."""

from engine.choices import NetworkName
from engine.host.spend import Stretch
from engine.host.time_of_day import now
from engine.training.clock import TrainingClock
from engine.voice import Voice

# Training time that may be missing from the ledger when the process is killed.
_LONGEST_SECONDS = 60.0


class LedgerKeeper:
    """Adds the stretch under way to the ledger, and closes it where training is saved."""

    def __init__(self, voice: Voice, network: NetworkName, clock: TrainingClock, step: int) -> None:
        self._ledger = voice.ledger
        self._network = network
        self._clock = clock
        self.price = voice.settings.price
        """US dollars an hour."""
        self._start = now()
        self._first_step = step
        self._counted = 0.0
        self._closed_usd = 0.0
        self._past_seconds = self._ledger.seconds
        self._past_usd = self._ledger.usd

    @property
    def voice_seconds(self) -> float:
        """Training time of the voice, all its runs together."""
        return self._past_seconds + self._clock.seconds

    @property
    def spent(self) -> float:
        """Spend of the voice in US dollars, all its runs together."""
        open_seconds = self._clock.seconds - self._counted
        return self._past_usd + self._closed_usd + open_seconds / 3600 * self.price

    @property
    def due(self) -> bool:
        """Whether so much is not in the ledger yet that a killed process would hide it."""
        return self._clock.seconds - self._counted >= _LONGEST_SECONDS

    def change_price(self, price: float, step: int) -> None:
        """Let the machine cost something else from here on, in US dollars an hour.

        What was trained before keeps the price that it had, unless none was known: then the
        stretch under way is taken to have cost as much all along.

        Raises:
            EngineError: the ledger cannot be written; the stretch under way, at the price that
                is given, is part of the next try.
        """
        try:
            if self.price > 0 and self.price != price:
                self.close_stretch(step)
        finally:
            self.price = price

    def close_stretch(self, step: int) -> None:
        """Write what has been trained since the last call into the ledger.

        Raises:
            EngineError: the ledger cannot be written.
        """
        seconds = self._clock.seconds
        if step == self._first_step:
            return
        stretch = Stretch(
            self._start,
            now(),
            self._network,
            self._first_step,
            step,
            seconds - self._counted,
            self.price,
        )
        self._ledger.add(stretch)
        self._closed_usd += stretch.usd
        self._start, self._first_step, self._counted = stretch.end, step, seconds

    def go_back(self, step: int) -> None:
        """Begin the next stretch at an earlier step, whose steps are made anew."""
        self._first_step = step
