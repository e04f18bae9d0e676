"""What never gets into a log: credentials, the environment, and what a terminal obeys."""

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import EngineError
from tui.process.log_file import added_to, flush_log, open_log
from tui.process.log_secrets import DiscreetFormatter, without_secrets

SOURCE = Path(__file__)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzz"


@pytest.fixture
def log(tmp_path):
    """The log of a voice, with logging as it was afterwards."""
    root, raising = logging.getLogger(), logging.raiseExceptions
    before = list(root.handlers)
    levels = {name: logging.getLogger(name).level for name in ("engine", "tui")}
    yield open_log(tmp_path)
    logging.captureWarnings(False)
    logging.raiseExceptions = raising
    for handler in [h for h in root.handlers if h not in before]:
        root.removeHandler(handler)
        handler.close()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ("s3://alice:hunter2hunter@bucket/voice is gone", "hunter2"),
        ("https://alice:a/b:c@host/voice", "a/b:c"),
        ("GET /x?X-Amz-Signature=0123456789abcdef&list-type=2", "0123456789abcdef"),
        ("https://h/x?a=1&X-Amz-Security-Token=FwoGZXIvYXdzE&b=2", "FwoGZXIvYXdzE"),
        ("https://h/blob?sv=2022&sig=a%2Bb%3D&se=1", "a%2Bb"),
        ("https://h/upload?key=AbCdEf123", "AbCdEf123"),
        ("using AKIAIOSFODNN7EXAMPLE now", "IOSFODNN7"),
        ("aws_secret_access_key = " + SECRET, SECRET),
        ("{'SecretAccessKey': '" + SECRET + "', 'Code': 'Success'}", SECRET),
        ('{"Token": "IQoJb3JpZ2lu a b", "n": 1}', "IQoJ"),
        ('{"access_token":"ya29.a0AfH6SMBx", "expires_in": 3599}', "ya29"),
        ("b'Authorization': b'AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=fe5f'", "fe5f"),
        ("Authorization: Bearer abc.def\nHost: here", "abc.def"),
        ("{'authorization': 'Basic YWxpY2U6cA=='}", "YWxpY2U6"),
        ("proxy-authorization: Basic YWxpY2U6cA==", "YWxpY2U6"),
        ("got <SecretAccessKey>" + SECRET + "</SecretAccessKey>", SECRET),
        ("password=correct-horse", "correct-horse"),
        ("ClientError(password='with \\' quote inside')", "quote inside"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAA\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP", "dBjftJeZ4CVP"),
        ("hf_abcdefghijklmnopqrstuv", "abcdefghij"),
        ("died with environ({'SHELL': '/bin/sh', 'PATH': '/opt/hidden/bin'})", "/opt/hidden/bin"),
    ],
)
def test_a_credential_in_a_text_is_hidden(said, secret):
    assert secret in said
    hidden = without_secrets(said, {})
    assert secret not in hidden
    assert "…" in hidden


@pytest.mark.parametrize(
    "said",
    [
        "checkpoint 5 saved",
        "s3://bucket/alice: step 871,000 is safe in the mirror",
        "counting from [nought] at 14:02; see https://host:8080/path?step=5&voice=alice",
        "key not pressed; tokens of text: 5",
        "vocabulary 'PE abc' has no symbol for @ in user@host",
        'File "/x/keys.py", line 5, in press\n    raise KeyError(name)',
    ],
)
def test_other_texts_stay_as_they_are(said):
    assert without_secrets(said, {"HOME": "/root", "SOME_KEY": "1"}) == said


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "PGPASSWORD", "my_api_key", "CLIENT_SECRET"]
)
def test_what_the_environment_keeps_secret_is_hidden_in_every_form(name):
    environment = {name: "pass/word+1 'x\\", "LANG": "C.UTF-8"}
    for form in (
        "pass/word+1 'x\\",
        "pass%2Fword%2B1%20%27x%5C",
        "pass%2Fword%2B1+%27x%5C",
        repr("pass/word+1 'x\\"),
    ):
        assert "word" not in without_secrets(f"cannot log in with {form}!", environment)
    assert without_secrets("C.UTF-8", environment) == "C.UTF-8"


def test_no_record_of_any_library_has_a_secret(log, monkeypatch):
    monkeypatch.setenv("SOMEBODYS_TOKEN", "tok-5e1f-planted")
    library = logging.getLogger("botocore.auth")
    library.warning("signing with %s for %s", "tok-5e1f-planted", "s3://u:planted-pass@b/k")
    try:
        try:
            raise ValueError("tok-5e1f-planted was refused")
        except ValueError as error:
            raise OSError("GET https://b/k?X-Amz-Signature=planted-sig failed") from error
    except OSError:
        library.exception("no %s", "luck", stack_info=True)
    library.warning({"Authorization": "AWS4 planted-header"})
    flush_log()
    # The lines of this file are in the traceback, secrets and all.
    ours = [line for line in SOURCE.read_text().splitlines() if "planted" in line]
    written = log.read_text()
    told = [line for line in written.splitlines() if line.strip() not in map(str.strip, ours)]
    assert not [line for line in told if "planted" in line]
    assert "Traceback" in written
    assert "was refused" in written


def test_what_is_printed_into_the_log_is_masked_too(log, monkeypatch):
    monkeypatch.setenv("SOMEBODYS_TOKEN", "tok-5e1f-planted")
    with added_to(log) as file:
        print("half of tok-5e1f", end="", file=file)
        print("-planted\x1b[2J and a rest", end="", file=file)
        os.write(file.fileno(), b"from C\n")
    assert "planted" not in log.read_text()
    assert "half of … and a rest".replace(" and", "\\x1b[2J and") in log.read_text()
    assert "from C" in log.read_text()


def test_a_terminal_that_shows_a_log_has_nothing_to_obey(log):
    logging.getLogger("engine").warning("\x1b]0;title\x07 \x9b31m \u202eevil\r over")
    flush_log()
    written = log.read_text()
    assert "\\x1b]0;title\\x07 \\x9b31m \\u202eevil\\r over" in written
    assert written.endswith("\n")
    # Formatted alone: pytest keeps what is logged, and cannot pass on half a character.
    record = logging.LogRecord("a", logging.INFO, "b", 1, "name \udcff", None, None)
    assert DiscreetFormatter("%(message)s").format(record) == "name \\udcff"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_can_be_logged(text, more):
    record = logging.LogRecord("a", logging.INFO, "b", 1, "%s", (text + "=key=" + more,), None)
    written = DiscreetFormatter("%(message)s").format(record)
    assert all(letter.isprintable() or letter in "\n\t" for letter in written)


def test_hiding_takes_no_long_time_whatever_the_text():
    """A pattern that is tried anew at every letter would take minutes for each of these."""
    for piece in ("a", "key", "?", "://", "'\\", "token='", "environ({", "?sig", "eyJaaaaaaaa"):
        text = piece * (200_000 // len(piece))
        assert len(without_secrets(text, {})) <= len(text)


def test_the_log_is_for_its_owner_alone(tmp_path, monkeypatch, request):
    monkeypatch.setattr("tui.process.log_file._MAX_BYTES", 200)
    log = request.getfixturevalue("log")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    for number in range(9):
        logging.getLogger("engine").warning("line %d, which is longer than a few words", number)
    flush_log()
    logs = sorted(tmp_path.glob("voicecoach.log*"))
    assert len(logs) >= 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in logs} == {0o600}


def test_one_that_others_could_read_is_closed_to_them(tmp_path, request):
    (tmp_path / "voicecoach.log").touch(0o644)
    (tmp_path / "voicecoach.log").chmod(0o644)
    path = request.getfixturevalue("log")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_what_is_no_plain_file_is_not_logged_into(tmp_path, kind):
    target, path = tmp_path / "bashrc", tmp_path / "voicecoach.log"
    if kind == "link":
        target.write_text("alias ls=ls\n")
    if "link" in kind:
        path.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    before = target.read_text() if target.exists() else None
    with pytest.raises(EngineError, match=r"voicecoach\.log cannot be written"):
        open_log(tmp_path)
    assert (target.read_text() if target.exists() else None) == before


FULL = """
import logging, resource, sys
from pathlib import Path
from tui.process.log_file import added_to, open_log
log = open_log(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
with added_to(log) as file:
    for number in range(2_000):
        logging.getLogger("engine").warning("line %d", number)
        print("printed", number, file=file, flush=number % 2 == 0)
print("unharmed")
"""


def test_a_disk_that_takes_no_more_harms_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "unharmed\n", "")
    assert (tmp_path / "voicecoach.log").stat().st_size <= 5_000
