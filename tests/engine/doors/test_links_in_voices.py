"""A stranger's voice in which links and pipes stand for files: a sentence, and nothing touched."""

import itertools
import os
import shutil

import pytest

from engine.checkpoints.checkpoint import load_checkpoint
from engine.errors import InputError
from engine.files import append_line, read_plain, write_whole
from engine.jobs.info import describe
from engine.jobs.say import say
from engine.voice.folder import Voice
from engine.voice.layout import require_plain

STEP = "text2mel/checkpoints/step-000000005"
FILES = [
    "voice.toml",
    "spend.jsonl",
    "spend.open",
    "comparisons.jsonl",
    "corpus.json",
    "check.json",
    "text2mel/history.jsonl",
    f"{STEP}/state.json",
    f"{STEP}/weights.safetensors",
    f"{STEP}/optimizer.safetensors",
    "samples/samples.jsonl",
    "samples/text2mel-5_no-ssrn_hello.wav",
    "features/recordings.json",
    "features/0123456789abcdef0123456789abcdef.features",
]
FOLDERS = ["text2mel", "text2mel/checkpoints", STEP, "ssrn", "samples", "features", ".restoring"]


@pytest.fixture
def voice(make_voice):
    voice = make_voice(text2mel=5)
    assert describe(voice.folder)["networks"]["text2mel"]["step"] == 5
    return voice


@pytest.fixture
def outside(tmp_path):
    """What belongs to the person, beside the voice."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "bashrc").write_text("alias ls='ls -l'\n")
    yield folder
    assert sorted(path.name for path in folder.iterdir()) == ["bashrc"]
    assert (folder / "bashrc").read_text() == "alias ls='ls -l'\n"


def put(path, make):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    make(path)


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        *itertools.product(["bashrc", "pipe"], FILES),
        *(("", place) for place in FOLDERS),
        ("new", "text2mel/history.jsonl"),
    ],
)
def test_a_link_or_a_pipe_is_refused(voice, outside, training, kind, place):
    """A link to a file, a folder or nothing yet."""
    path = voice.folder / place
    put(path, os.mkfifo if kind == "pipe" else lambda path: path.symlink_to(outside / kind))
    for use in (describe, lambda folder: say(folder, "hello"), Voice.open):
        with pytest.raises(InputError) as caught:
            use(voice.folder)
        assert str(path) in str(caught.value)
        assert str(caught.value).isprintable()
    # Without a voice.toml that is a file there is no voice to go on with.
    with pytest.raises(InputError, match=f"{path.name}|There is no voice"):
        training.end(training.start(voice.folder, "+1"))


def test_recordings_may_be_a_link(voice, speech):
    (voice.folder / "recordings").symlink_to(speech)
    (voice.folder / "notes").mkdir()
    (voice.folder / "notes" / "link").symlink_to("nowhere")
    require_plain(voice.folder)
    assert describe(voice.folder)["networks"]["text2mel"]["step"] == 5


@pytest.mark.parametrize("name", ["state.json", "weights.safetensors", "optimizer.safetensors"])
def test_a_lone_checkpoint_is_read_with_the_same_care(voice, tmp_path, name):
    """As `--from` gives it, without a voice around it."""
    lone = shutil.copytree(voice.folder / STEP, tmp_path / "lone")
    shutil.copy(lone / "weights.safetensors", lone / "optimizer.safetensors")
    original = (lone / name).rename(tmp_path / "original")
    makers = {"it is a link": lambda path: path.symlink_to(original), "not a plain file": os.mkfifo}
    for problem, make in makers.items():
        put(lone / name, make)
        with pytest.raises(InputError, match=problem) as caught:
            load_checkpoint(lone)
        assert str(lone) in str(caught.value)


def test_nothing_is_written_through_a_link(outside, tmp_path):
    link = tmp_path / "history.jsonl"
    link.symlink_to(outside / "bashrc")
    with pytest.raises(Exception, match="it is a link"):
        append_line(link, "{}")
    part = tmp_path / f"new.{os.getpid()}.part"
    part.symlink_to(outside / "bashrc")
    write_whole(tmp_path / "new", b"whole")
    assert (tmp_path / "new").read_bytes() == b"whole"
    assert not (tmp_path / "new").is_symlink()


def test_of_a_file_without_end_no_more_is_read_than_it_may_have(tmp_path):
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match=r"maximum 1,000 bytes"):
        read_plain(tmp_path / "holes", 1000)
