"""Which terminals get ASCII alone."""

import pytest

from tui.characters import why_ascii


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"LANG": "en_GB.UTF-8"}, ""),
        ({"LANG": "C.UTF-8"}, ""),
        ({"LANG": "C", "LC_CTYPE": "C.utf8"}, ""),
        ({"LANG": "C", "LC_ALL": "de_DE.utf8@euro"}, ""),
        ({"LANG": "en_GB.UTF-8", "TERM": "xterm-256color", "LC_ALL": ""}, ""),
        ({"LC_CTYPE": "UTF-8"}, ""),
        ({"LANG": "C"}, "LANG is C"),
        ({"LANG": "POSIX"}, "LANG is POSIX"),
        ({}, "LANG is not set"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "C"}, "LC_ALL is C"),
        ({"LANG": "en_GB.UTF-8", "LC_CTYPE": "en_GB.ISO-8859-1"}, "LC_CTYPE is en_GB.ISO-8859-1"),
        ({"LANG": "en_GB"}, "LANG is en_GB"),
        ({"LANG": "en_GB.UTF-8", "TERM": "linux"}, "TERM is linux"),
    ],
)
def test_the_environment_says_whether_a_terminal_shows_more(environment, why):
    said = why_ascii(environment)
    assert (why in said) if why else not said
