"""What the bytes of a terminal come to: keys, pastes, mouse and focus, and nothing else."""

import random
import tracemalloc

import pytest
from textual import events

from tui.process import terminal_driver
from tui.process.terminal_driver import MAX_PASTE, TerminalInput


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def said(messages) -> list[str]:
    """Return keys by their name, and other messages by what they are."""
    return [m.key if isinstance(m, events.Key) else type(m).__name__ for m in messages]


SEQUENCES = [
    (b"aB1 \r", ["a", "B", "1", "space", "enter"]),
    ("é漢".encode(), ["é", "漢"]),
    (b"\x03\x1a", ["ctrl+c", "ctrl+z"]),
    (b"\x1b[A\x1bOB\x1b[1;5C\x1b[3~\x1b[Z", ["up", "down", "ctrl+right", "delete", "shift+tab"]),
    (b"\x1bOP\x1b[[A\x1b[11~\x1b[P", ["f1", "f1", "f1", "f1"]),
    (b"\x1bb\x1b\x7f\x1bx", ["ctrl+left", "ctrl+w", "alt+x"]),
    (b"\x1b\x1b[A", ["escape", "up"]),
    (b"\x1b\xc3\xa9\x1b\xe6\xbc\xa2q", ["é", "漢", "q"]),
    (b"\x1b\xe9q", ["q"]),
    (b"\x1b[27u\x1b[13u\x1b[99;5u\x1b[113;;113u", ["escape", "enter", "ctrl+c", "q"]),
    (b"\x1b[97:65;2;65u\x1b[97;1:1;97u\x1b[97;1:2;97u", ["A", "a", "a"]),
    (b"\x1b[97;1:3u\x1b[1;1:3~\x1b[1;1:3A", []),
    (b"\x1b[1114112u\x1b[55296u\x1b[3u\x1b[113~\x1b[0000000113u", []),
    (b"\x1b[97;;55296:113:1114112u", ["q"]),
    (b"\x1b[" + b"9" * 5000 + b"u", []),
    (b"\x1b[I\x1b[O", ["AppFocus", "AppBlur"]),
    (b"\x1b[<35;10;10M\x1b[<0;1;1M\x1b[<0;1;1m", ["MouseMove", "MouseDown", "MouseUp"]),
    (b"\x1b[<0;-1;1M\x1b[<0;99999;1M\x1b[32;10;5M", []),
    (b"\x1b[M \xa00\x1b[M   ", []),
    (b"\x1b[M \x1b[A", ["up"]),
    (b"\xe9q\xff\xed\xa0\x80\xef\xbf\xbd", ["q"]),
    (b"\xe9\x1b[A", ["up"]),
    (b"\x00\x9bq\xc2\x9bs", ["ctrl+@", "q", "s"]),
    (b"\x1b[48;1000000;1000000;1;1t\x1b[48;24;80;0;0t", []),
    (b"\x1b[?2026;2$y", ["TerminalSupportsSynchronizedOutput"]),
    (b"\x1b[?2048;1$y\x1b[9;9R\x1b[?62;22c", []),
    (b"\x1b]52;c;cXM=\x07\x1bP1$r2 q\x1b\\\x1b_Gq\x18a", ["a"]),
    (b"\x1b]q\x1b[A", ["up"]),
    (b"\x1b[1;2\nq", ["ctrl+j", "q"]),
    (b"\x1b[200~a\x1b[31mq\xff\x00\x1b[201~b", ["Paste", "b"]),
]


@pytest.mark.parametrize(("data", "expected"), SEQUENCES, ids=range(len(SEQUENCES)))
def test_known_sequences_count_and_nothing_else(data: bytes, expected: list[str]) -> None:
    assert said(TerminalInput().feed(data)) == expected
    one_by_one = TerminalInput()
    assert said(m for i in range(len(data)) for m in one_by_one.feed(data[i : i + 1])) == expected


def test_the_rest_of_a_sequence_is_not_awaited_for_ever() -> None:
    clock = Clock()
    for begun in (b"\x1b[M ", b"\x1b[1;2", b"\x1b]52;q", b"\x1bO", b"\x1b[200~words"):
        terminal = TerminalInput(clock)
        assert said(terminal.feed(begun)) == []
        for _ in range(21):
            # Whoever presses a key now and then need not pause.
            clock.now += 0.1
            list(terminal.feed(b";"))
            list(terminal.take_unfinished())
        assert said(terminal.feed(b"a")) == ["a"], begun


def test_an_escape_by_itself_is_the_key() -> None:
    clock = Clock()
    terminal = TerminalInput(clock)
    assert said(terminal.feed(b"\x1b")) == said(terminal.take_unfinished()) == []
    clock.now += 0.2
    assert said(terminal.take_unfinished()) == ["escape"]


def test_a_slow_paste_stays_one() -> None:
    clock = Clock()
    terminal = TerminalInput(clock)
    list(terminal.feed(b"\x1b[200~"))
    for _ in range(5):
        clock.now += 1.5
        assert said(terminal.feed(b"a slow line brings this")) == []
        assert said(terminal.take_unfinished()) == []
    [paste] = terminal.feed(b"\x1b[201~")
    assert paste.text == "a slow line brings this" * 5


@pytest.mark.parametrize("begun", [b"\x1b[200~", b"\x1b]", b"\x1b["])
def test_what_does_not_end_takes_no_memory(begun: bytes) -> None:
    clock = Clock()
    terminal = TerminalInput(clock)
    list(terminal.feed(begun))
    tracemalloc.start()
    for _ in range(500):
        assert said(terminal.feed(b"1" * 4096)) == []
    # Threads that other tests have left allocate as well.
    ours = tracemalloc.Filter(True, terminal_driver.__file__)
    held = tracemalloc.take_snapshot().filter_traces([ours]).statistics("filename")
    tracemalloc.stop()
    assert sum(statistic.size for statistic in held) < 500_000
    clock.now += 5
    assert all(len(paste.text) <= MAX_PASTE for paste in terminal.take_unfinished())
    assert said(terminal.feed(b"a")) == ["a"]


def test_no_bytes_break_the_reading() -> None:
    made = random.Random(8)
    clock = Clock()
    terminal = TerminalInput(clock)
    for _ in range(8_000):
        begun = made.choice([b"", b"\x1b", b"\x1b[", b"\x1b[M", b"\x1b[<", b"\x1b[?", b"\x1b]"])
        alphabet = b"0123456789:;;<?~uMmARt$y\x1b\x07\\ q\xe9\xc2"
        body = bytes(made.choices(alphabet, k=made.randint(0, 12)))
        list(terminal.feed(begun + made.choice([body, made.randbytes(4)])))
        clock.now += made.choice([0, 0.2, 3])
        list(terminal.take_unfinished())
    clock.now += 5
    list(terminal.take_unfinished())
    assert said(terminal.feed(b"a")) == ["a"]
