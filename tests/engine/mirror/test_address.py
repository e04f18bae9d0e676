"""How a mirror is named, and what must not be in a name."""

from pathlib import Path

import pytest

from engine.errors import InputError
from engine.mirror.address import checked_address, is_mirror, without_secrets
from engine.mirror.store import open_store


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("s3://bucket/alice", "s3://bucket/alice"),
        ("s3://bucket/alice/", "s3://bucket/alice"),
        ("gs://bucket/voices/alice", "gs://bucket/voices/alice"),
        ("abfs://container@account.dfs.core.windows.net/a", None),
        ("/mnt/nas/alice", "/mnt/nas/alice"),
        ("file:///mnt/nas/alice", "/mnt/nas/alice"),
        ("file://localhost/mnt/nas/alice", "/mnt/nas/alice"),
        ("S3://bucket/Alice", "s3://bucket/Alice"),
        ("s3://arn:aws:s3:us-east-1:123456789012:accesspoint/mine/alice", None),
        ("mirrors/alice", str(Path.cwd() / "mirrors" / "alice")),
        ("../mirrors/./old/../alice", str(Path.cwd().parent / "mirrors" / "alice")),
        ("file:///mnt/nas/old/../alice", "/mnt/nas/alice"),
    ],
)
def test_an_address_is_kept_as_one_place(text, address):
    assert checked_address(text) == (address or text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s3://AKIA:geheim@bucket/alice", "contains a password"),
        ("https://u:geheim@[broken/x", "--mirror is"),
        ("s3://bucket/alice?secret=geheim", "give s3://"),
        ("simplecache::s3://u:geheim@bucket", "one plain address"),
        ("s3:///alice", "give s3://"),
        ("s3://", "give s3://"),
        ("s3://bu cket/alice", "'bu cket' is not a bucket name (3 to 63 letters, digits, - and .)"),
        ("s3://b/x", "'b' is not a bucket name"),
        ("gs://bücket/alice", "is not a bucket name"),
        ("s3://AKIAKEY@bucket/alice", "'…@bucket' is not a bucket name"),
        ("s3://bucket/../../alice", "without . and .."),
        ("s3:/bucket/alice", "one plain address"),
        ("gs:bucket/alice", "one plain address"),
        ("file://relative", "absolute path, as in file:///mnt"),
        ("file://", "absolute path, as in file:///mnt"),
        ("memory://", "give s3://"),
        ("", "give s3://"),
        ("s3://bucket/\x1b[2J", "give s3://"),
    ],
)
def test_secrets_and_riddles_are_refused(text, said):
    with pytest.raises(InputError) as caught:
        checked_address(text)
    assert said in str(caught.value)
    assert "geheim@" not in str(caught.value)
    assert "AKIAKEY" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_mirror_is_told_from_a_voice(tmp_path):
    assert is_mirror("s3://bucket/alice")
    assert not is_mirror(str(tmp_path))
    (tmp_path / "mirror.json").write_text("{}")
    assert is_mirror(str(tmp_path))


def test_what_libraries_say_is_one_line_without_passwords():
    said = without_secrets("Could not\nconnect to http://user:geheim@host/\x1b[31mred" + "x" * 900)
    assert "geheim" not in said
    assert said.isprintable()
    assert len(said) <= 200


def test_a_library_that_is_not_there_is_confirmed_with_its_extra(monkeypatch):
    import fsspec

    def missing(protocol):
        raise ImportError("install it")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(InputError, match=r"pip install 'voicecoach\[gcs\]'\."):
        open_store("gs://bucket/alice")
    with pytest.raises(InputError, match=r"is not installed: pip install paramiko\."):
        open_store("sftp://host/alice")


@pytest.mark.parametrize(
    "address",
    ["gopher://bucket/alice", "ftp://127.0.0.1:9/alice", "http://127.0.0.1:9/x", "memory://alice",
     "data://x", "github://o:r@/x", "zip://x", "reference://x", "jupyter://127.0.0.1:9/x"],
)  # fmt: skip
def test_an_unsupported_place_is_refused_unopened(address):
    with pytest.raises(InputError, match=r"of an unsupported kind; give s3://"):
        open_store(address)
