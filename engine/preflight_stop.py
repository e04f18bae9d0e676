"""The stop of an order, its own or that of the run it takes up, held against where the voice is."""

from engine.checkpoints.state import is_intact
from engine.errors import InputError
from engine.run.options import QUOTE_A_SUM, TrainOptions
from engine.run.stop import AlreadyThereError, StopRule, StoredStop, read_stored_stop
from engine.voice.layout import list_checkpoints
from engine.voice.spend import SpendLog


def require_stop_ahead(options: TrainOptions, step: int, spend: SpendLog, price: float) -> str:
    """Refuse a stop that lies behind; return the stop as it was asked for, empty without one.

    Args:
        options: which may name a stop.
        step: that of the newest checkpoint.
        spend: what the voice has cost.
        price: US dollars an hour, infinite where the cloud is yet to say it.

    Raises:
        AlreadyThereError: the voice has been trained to its stop.
        InputError: saying where it stands; or what is kept of a stop cannot be read.
    """
    kept = _kept_stop(options)
    if kept is not None:
        _require_kept_ahead(kept, options, step, spend, price)
        return kept.text
    if not isinstance(options.stop, StopRule):
        return ""
    _require_rule_ahead(options.stop, options, step, spend, price)
    return options.stop.text


def _kept_stop(options: TrainOptions) -> StoredStop | None:
    """The stop of the run before that this order keeps to; None where it has another, or none.

    Raises:
        InputError: the order names none, and what is kept cannot be read.
    """
    try:
        kept = read_stored_stop(options.voice_folder / options.network)
    except InputError:
        if options.stop is None:
            raise
        return None
    return kept if kept is not None and kept.matches(options.stop) else None


def _require_kept_ahead(
    kept: StoredStop, options: TrainOptions, step: int, spend: SpendLog, price: float
) -> None:
    """Refuse to go on where the run before had come to its stop, and could not say so any more.

    Raises:
        AlreadyThereError: saying which stop it is.
        InputError: it is a sum, and there is no price.
    """
    if kept.point.usd is not None and price <= 0:
        raise InputError(
            f"the voice is to stop at {kept.words}, but this run has no price; give --price in $ "
            f"an hour, or another --stop-at, or none"
        )

    def reached(step: int) -> bool:
        return kept.point.reached(step, spend.seconds, spend.usd)

    if reached(step) and reached(_sound_step(options, step)):
        raise AlreadyThereError(
            f"the voice has come to its stop, {kept.words}; give another --stop-at, such as +1k, "
            f"or none to train on without one"
        )


def _sound_step(options: TrainOptions, step: int) -> int:
    """The step of the newest checkpoint that is not damaged; `step` where there is none."""
    entries = list_checkpoints(options.voice_folder / options.network / "checkpoints")
    return next((one.step for one in reversed(entries) if is_intact(one.path)), step)


def _require_rule_ahead(
    stop: StopRule, options: TrainOptions, step: int, spend: SpendLog, price: float
) -> None:
    """Refuse a stop that lies behind.

    Raises:
        AlreadyThereError: the voice has been trained to its stop.
        InputError: saying where it stands.
    """
    try:
        stop.resolve(step, spend.seconds, spend.usd, price)
    except InputError as error:
        # To read them all takes long, and is needed where the answer depends on it alone.
        sound = _sound_step(options, step)
        entries = list_checkpoints(options.voice_folder / options.network / "checkpoints")
        if sound != step:
            stop.resolve(sound, spend.seconds, spend.usd, price)
        elif isinstance(error, AlreadyThereError) and not entries:
            # Where the weights of another voice stand, this one has not been trained to.
            raise InputError(str(error)) from error
        elif stop.text.isdecimal() and not isinstance(error, AlreadyThereError):
            raise InputError(f"{error}; {QUOTE_A_SUM}") from error
        else:
            raise
