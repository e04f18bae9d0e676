"""Reads what metadata services answer; what is not as documented is an odd reply, and no notice."""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from engine.formatting import brief
from engine.machine.cloud.metadata import OddReplyError, Reply

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_TOKEN = re.compile(r"[!-~]{1,1024}")


def name_in(reply: Reply, what: str) -> str:
    """A name that the answer consists of; empty where there is none (404).

    Raises:
        OddReplyError: it is no name.
    """
    if reply.status == 404:
        return ""
    return _matching(_NAME, reply, what)


def token_in(reply: Reply) -> str:
    """A token that can be sent as a header.

    Raises:
        OddReplyError: it cannot.
    """
    return _matching(_TOKEN, reply, "a token")


def _matching(pattern: re.Pattern[str], reply: Reply, what: str) -> str:
    text = reply.text.strip()
    if reply.status != 200 or not pattern.fullmatch(text):
        raise OddReplyError(f"gives {what} as {brief(text)} (status {reply.status})")
    return text


def object_in(reply: Reply, what: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        OddReplyError: it is none.
    """
    try:
        found = json.loads(reply.text)
    except (ValueError, RecursionError):
        found = None
    if reply.status != 200 or not isinstance(found, dict):
        raise OddReplyError(f"gives {what} as {brief(reply.text)} (status {reply.status})")
    return found


def moment_in(said: object, what: str) -> float:
    """A time in seconds since the epoch, from ISO 8601 or the form of HTTP's dates.

    Raises:
        OddReplyError: it is neither.
    """
    if isinstance(said, str) and len(said) < 100:
        for read in (datetime.fromisoformat, parsedate_to_datetime):
            try:
                moment = read(said)
                aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                return aware.timestamp()
            except (ValueError, TypeError, IndexError, OverflowError):
                continue
    raise OddReplyError(f"gives {what} as {brief(said)}, which is no time")
