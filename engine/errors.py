"""The two ways in which voicecoach tells a person that something is wrong, and one that is not."""

from pathlib import Path


class VoicecoachError(Exception):
    """A trouble told in one sentence: what, where, and what to do about it.

    The message is shown as it stands, without a traceback.
    """

    exit_code = 1


class InputError(VoicecoachError):
    """Something that the person gave cannot be used: an option, a file, a folder."""

    exit_code = 2


class EngineError(VoicecoachError):
    """The engine could not go on although its input was sound."""


class Cancelled(Exception):  # noqa: N818 (a request that was granted, not an error)
    """The person asked to stop before the work was complete."""


class Declined(Cancelled):
    """The person saw what the check of the corpus found, and did not want to train on it."""


class RankLostError(EngineError):
    """Another of the processes that train together has ended, or cannot be reached."""


def explain(error: BaseException, log: Path) -> str:
    """Say in one sentence what failed; of an unexpected error, which log has the traceback."""
    if isinstance(error, VoicecoachError):
        return str(error)
    what = ": ".join(filter(None, (type(error).__name__, " ".join(str(error).split()))))
    return f"unexpected error ({what}); see {log}"
