"""How the end of a command is told: in one sentence, whatever it was."""

from pathlib import Path

from engine.errors import InputError, VoicecoachError
from engine.run.snapshot import Snapshot
from engine.run.stop import read_stored_stop
from engine.voice.folder import Voice
from tui import formatting as wording


def sentence_about(error: BaseException, log: Path) -> str:
    """Tell an error in one sentence; one that nobody foresaw points at the log.

    Args:
        error: what happened.
        log: the file that has, or will have, the traceback.
    """
    if isinstance(error, VoicecoachError):
        return str(error)
    told = " ".join(str(error).split())
    kind = type(error).__name__
    what = f"{kind}: {told}" if told else kind
    return f"something went wrong that voicecoach did not foresee ({what}); the log is {log}"


def sentence_about_end(last: Snapshot) -> str:
    """Tell where a run that ended as asked was saved, and how to go on.

    A voice whose recordings are to be mended first was not even made.
    """
    again = last.command_to_continue
    if last.checkpoint_step is None:
        if not Voice.exists(last.voice_folder):
            return "nothing was trained; mend the recordings and give the same command again"
        return f"{_cut_short(last)}ended before the first step; to begin again: {again}"
    ended = f"{last.ended_because}, so the run ended: " if last.ended_because else ""
    if last.budget_is_used_up:
        budget, spent = wording.dollars(last.budget), wording.dollars(last.spent)
        return (
            f"{ended}the budget of {budget} is used up: {spent} is spent; saved at step "
            f"{last.checkpoint_step:,}; to go on: {again} --budget AMOUNT, with a larger one"
        )
    saved = f"{_cut_short(last)}{ended}saved at step {last.checkpoint_step:,}"
    return f"{saved}; to go on{_to_its_stop(last)}: {again}"


def sentence_about_rent(last: Snapshot) -> str:
    """Say what the machine goes on to cost after a run; empty where that is not known.

    A machine that its cloud takes away costs nothing for long.
    """
    if last.price <= 0 or last.interrupted:
        return ""
    idle = (
        f", {wording.dollars(last.idle_usd)} of it for idle time" if last.idle_usd >= 0.01 else ""
    )
    return (
        f"spent {wording.dollars(last.spent)}{idle}; this machine still costs "
        f"{wording.price(last.price)} until you stop it"
    )


def _to_its_stop(last: Snapshot) -> str:
    """Say to which stop the next run goes on, where this one had not come to it."""
    try:
        kept = read_stored_stop(last.voice_folder / last.network)
    except InputError:
        # The next run says so, and asks for a stop.
        return ""
    return "" if kept is None else f" to its stop at {kept.words}"


def _cut_short(last: Snapshot) -> str:
    """Say first that it was the cloud that ended the run, where it was."""
    if not last.interrupted:
        return ""
    notice = last.spot_notice
    return "interrupted: " if notice is None else f"interrupted, for {notice.text}: "
