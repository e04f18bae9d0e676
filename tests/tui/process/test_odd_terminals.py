"""Whatever a terminal does, the screen stays open, takes keys, and the run goes on."""

import itertools
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from engine.attach.client import RemoteSession
from engine.voice.folder import Voice, VoiceSettings

pytestmark = [pytest.mark.process, pytest.mark.slow]

NAMED = {
    "a byte of Latin-1": b"\xe9",
    "an X10 mouse report": b"\x1b[M \xa00",
    "half an X10 mouse report": b"\x1b[M ",
    "a released key": b"\x1b[97;1:3u",
    "a released function key": b"\x1b[1;1:3~",
    "a key with alternatives": b"\x1b[98:66;2;98u",
    "a code point above all": b"\x1b[1114112u",
    "a surrogate": b"\x1b[55296u\x1b[98;;55296u\xed\xa0\x80",
    "a long number": b"\x1b[" + b"9" * 5000 + b"u\x1b[<" + b"9" * 5000 + b";1;1M",
    "a paste that does not end": b"\x1b[200~words",
    "a size report of an absurd size": b"\x1b[48;1000000;1000000;1;1t",
    "a size report without pixels, and the mouse": b"\x1b[48;24;80;0;0t\x1b[<35;10;10M",
    "a mode report for size reports": b"\x1b[?2048;1$y",
    "a mouse far away": b"\x1b[<0;9999;9999M\x1b[<35;99999999;-9M\x1b[<999;1;1m",
    "a cursor far away": b"\x1b[99999999999;99999999999R",
    "an escape": b"\x1b",
    "NUL and C1": b"\x00\x9b\x9d\xc2\x9b\xc2\x9d",
    "answers with letters in them": b"\x1bP1$r2 q\x1b\\\x1b]11;rgb:qs/qs/qs\x07\x1b[?62;22c",
    "an answer that does not end": b"\x1b]52;c;qsqs",
    "a sequence that does not end": b"\x1b[1;2;3",
}


KEYS_THAT_END_OR_STOP = b"qQpPcC\x03\x10\x11\x1a"
"""Quit, pause, palette and suspend; and the checkpoint, by which a test asks for an answer."""


def wait_for_answer(runs, terminal, what: str) -> None:
    """Press a key until the screen obeys it, whatever is open above it."""
    asked = runs.voice / "asked"

    def saves() -> int:
        return asked.read_text().count("SaveCheckpoint") if asked.exists() else 0

    before = saves()
    polls = itertools.count()

    def answered() -> bool:
        poll = next(polls) % 50
        if poll == 0:
            terminal.send(b"c")
        elif poll == 25:
            # It closes a dialog, which has taken the key.
            terminal.send(b"\x1b")
        return saves() > before

    runs.wait_until(answered, f"a key to do something after {what}")


def wait_for_steps(runs, session: RemoteSession) -> None:
    step = session.snapshot().step
    runs.wait_until(lambda: session.snapshot().step > step, "steps")


def test_no_input_closes_a_screen(runs) -> None:
    own = runs.counting()
    runs.engine_process()
    own.wait_for_screen()
    other = runs.attach()
    other.wait_for_screen()
    session, made = RemoteSession(runs.voice, reading=True), random.Random(8)
    noises = (b"".join(noise(made) for _ in range(40)) for _ in range(15))
    inputs = [*NAMED.items(), *(("noise", data) for data in noises)]
    for number, (what, data) in enumerate(inputs):
        if number == len(NAMED):
            assert set(runs.asked()) == {"SaveCheckpoint"}
        for terminal in (own, other):
            terminal.send(data)
            if number < len(NAMED) or number == len(inputs) - 1:
                wait_for_answer(runs, terminal, what)
                opened = terminal.output.count(b"\x1b[?1049h")
                assert (opened, terminal.process.poll()) == (1, None), what
    wait_for_steps(runs, session)
    session.close()
    own.process.terminate()
    for terminal in (own, other):
        assert terminal.wait() == 0
        terminal.wait_until_restored()
    assert runs.said("checkpoint")
    assert "dropped terminal input" not in runs.said("voicecoach.log")


def test_a_terminal_of_an_absurd_size_or_a_slow_one_is_drawn_on(runs) -> None:
    terminal = runs.counting()
    engine = runs.engine_process()
    terminal.wait_for_screen()
    for size in ((65535, 65535), (1, 1), (0, 0), (65535, 2)):
        terminal.resize(*size)
        wait_for_answer(runs, terminal, f"a terminal of {size}")
    pages = int(Path(f"/proc/{engine}/statm").read_text().split()[1])
    assert pages * resource.getpagesize() < 1e9

    terminal.resize(24, 80)
    terminal.set_nonblocking()
    terminal.fill()
    session = RemoteSession(runs.voice, reading=True)
    for _ in range(8):
        # The screen draws several times meanwhile.
        wait_for_steps(runs, session)
    session.close()
    terminal.read_on()
    terminal.type("c")
    terminal.wait_for("saved as asked")
    terminal.process.terminate()
    assert terminal.wait() == 0


def noise(made: random.Random) -> bytes:
    """Return bytes that no terminal should send, or that some do, but no key that ends the run."""
    starts = [b"", b"\x1b", b"\x1b[", b"\x1b[M", b"\x1b[<", b"\x1b[?", b"\x1bO", b"\x1b]"]
    numbers = [b"0", b"1", b"3", b"27", b"97", b"127", b"999", b"55296", b"57399", b"1114112"]
    while True:
        start = made.choice(starts)
        body = b"".join(made.choices([*numbers, b"9" * 30, b"-1", b":", b";", b";"], k=4))
        # A button that is pressed on the screen could press a key's name in the bottom line.
        end = made.choice(b"ABDEFHIORSTZhntuy~$@\x07\x18" if start != b"\x1b[<" else b"ABu~")
        data = made.choice(
            [
                start + body + bytes([end]),
                start + made.randbytes(made.randint(0, 4)),
                made.choice([b"\x1b[200~", b"\x1b[201~", b"\x1b[200~words\x1b[201~"]),
                "éß漢😀\u200b\ufeff\u2028".encode()[made.randint(0, 9) :],
                made.choice(list(NAMED.values())),
            ]
        )
        # Ctrl+L opens the screen once more, as it should.
        if not set(data) & {*KEYS_THAT_END_OR_STOP, 0x0C}:
            return data


def test_ctrl_l_draws_everything_anew_after_another_program(runs) -> None:
    terminal = runs.counting()
    runs.engine_process()
    terminal.wait_for_screen()
    modes = (b"\x1b[?1049h", b"\x1b[r", b"\x1b(B", b"\x1b[?7l", b"\x1b[?1000h")
    for opens, words in ((b"", (b"voice", b"quit")), (b"?", (b"esc closes", b"quit"))):
        terminal.send(opens)
        terminal.wait_for(words[0].decode())
        before = len(terminal.output)
        # Another program has left its modes and words behind.
        terminal.send(b"\x0c")
        for part in (*modes, *words):
            drawn = lambda part=part, before=before: part in terminal.output[before:]  # noqa: E731
            runs.wait_until(drawn, f"{part!r} after {opens!r}")


def test_a_terminal_without_unicode_gets_ascii_unless_told_otherwise(runs, tmp_path) -> None:
    voice = tmp_path / "Zoë"
    Voice.create(voice, VoiceSettings(dataset=tmp_path / "recordings"))
    info = [sys.executable, "-m", "tui", "info", str(voice)]
    # Python itself makes LC_CTYPE of the C locale one of UTF-8.
    for environment in ({"LANG": "C"}, {"TERM": "linux"}):
        for option, shown in ((None, "Zoe"), ("--no-ascii", "Zoë"), ("--ascii", "Zoe")):
            told = runs.start([*info, *filter(None, [option])], **environment)
            assert told.wait() == 0
            told.wait_for(shown)
            assert told.output.isascii() is (shown == "Zoe")
    # A pipe gets what there is.
    piped = subprocess.run(info, env=runs.environment(LANG="C"), capture_output=True, timeout=60)
    assert "Zoë" in piped.stdout.decode()

    screen = runs.counting(TERM="linux")
    runs.engine_process()
    screen.wait_for_screen()
    screen.wait_for("drawing in ASCII")
    screen.type("q")
    screen.wait_for("esc  stay here")
    screen.type("s")
    assert screen.wait() == 0
    screen.wait_for("saved at step")
    assert screen.output.isascii()
