"""Archives: checkpoint files, and nothing else of them."""

import gzip
import io
import tarfile

import pytest
from dc_tts_files import attempt
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.tf_import.archive import unpacked

FILES = {
    "models/LJ01-1/checkpoint": b"note",
    "models/LJ01-1/model_gs_001k.index": b"index" * 100,
    "models/LJ01-1/model_gs_001k.data-00000-of-00001": b"data" * 999,
}


def packed(files=FILES, *, compressed=True, members=()):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz" if compressed else "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for member in members:
            tar.addfile(member)
    return made.getvalue()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return tmp_path_factory.mktemp("archive") / "models.tar.gz"


def contents(archive):
    with unpacked(archive) as folder:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }


@pytest.mark.parametrize("compressed", [True, False])
def test_files_last_as_long_as_the_block(archive, compressed):
    archive.write_bytes(packed(compressed=compressed))
    counts = []
    with unpacked(archive, counts.append) as folder:
        assert folder.is_dir()
    assert not folder.exists()
    assert counts[-1] == archive.stat().st_size
    assert contents(archive) == FILES


def test_other_files_and_links_are_not_unpacked(archive):
    link = tarfile.TarInfo("models/x.index")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard = tarfile.TarInfo("models/y.index")
    hard.type, hard.linkname = tarfile.LNKTYPE, "models/LJ01-1/model_gs_001k.index"
    pipe = tarfile.TarInfo("models/z.index")
    pipe.type = tarfile.FIFOTYPE
    more = {"models/run.sh": b"rm", "model.meta": bytes(9), "../../evil.txt": b"x"}
    archive.write_bytes(packed(FILES | more, members=[link, hard, pipe]))
    assert contents(archive) == FILES


@pytest.mark.parametrize("name", ["../x.index", "/tmp/x.index", "a/../../x.index"])
def test_file_outside_the_folder_is_refused(archive, name):
    archive.write_bytes(packed({name: b"x"}))
    with pytest.raises(InputError, match="outside its folder"):
        contents(archive)


@given(st.data())
@settings(max_examples=40)
@pytest.mark.slow
def test_damaged_archive_is_refused_or_yields_the_same(archive, data):
    content = bytearray(packed())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    archive.write_bytes(content)
    found, sentence = attempt(contents, archive)
    assert found == FILES or str(archive) in sentence


def test_archive_of_zeros_is_bounded(archive, monkeypatch):
    monkeypatch.setattr("engine.tf_import.archive._MAX_BYTES", 10_000_000)
    archive.write_bytes(packed({"models/x.wav": bytes(11_000_000)}))
    with pytest.raises(InputError, match="holds more than"):
        contents(archive)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_huge_header_is_not_held_in_memory(archive, kind):
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 2**30
    head = info.tobuf(tarfile.GNU_FORMAT)
    archive.write_bytes(gzip.compress(head + bytes(3_000_000)))
    with pytest.raises(InputError, match="is not an archive that `tar` makes"):
        contents(archive)
