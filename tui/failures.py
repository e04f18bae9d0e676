"""What a person reads of an error: one sentence, whatever it was."""

from pathlib import Path

from engine.errors import VoicecoachError


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
