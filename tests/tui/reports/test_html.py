"""The report on a voice, as a browser shows it that reaches nothing but the file."""

import shutil
from pathlib import Path

import pytest
from paths import EARLIER_VOICE, SPEECH
from typer.testing import CliRunner

from engine.data.audio import load_recording
from engine.run.evaluation import Evaluation, Misreading, SentenceMeasures
from engine.run.sample import Sample
from engine.speech.growing import write_wav
from engine.voice.comparisons import Comparison, append_comparison
from engine.voice.evaluations import append_evaluation
from engine.voice.folder import Voice
from engine.voice.samples import append_sample, sample_name
from tui.cli import app
from tui.reports.html.charts import Curve, chart_of
from tui.reports.html.sounds import Heard, embed

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">\u202e"
WAV = sorted((SPEECH / "wavs").glob("*.flac"))[0]
RATE = 22_050


def report(voice: Path, out: Path) -> str:
    done = CliRunner().invoke(app, ["report", str(voice), "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out.read_text()


def spoken(voice: Voice, step: int, sentence: str) -> Sample:
    """A sample of a step, with the recording beside it."""
    sound = load_recording(WAV, RATE)[: 2 * RATE]
    path, original = voice.samples / sample_name(step, 52, sentence), voice.samples / "original.wav"
    for file in (path, original):
        write_wav(file, sound, RATE)
    return Sample(step, sentence, path, 2.0, HOSTILE, original, 52, time=1.0)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on a voice whose name, sentences, notes and answers are markup."""
    folder = tmp_path_factory.mktemp("voices") / "<img src=x onerror=alert(1)>"
    voice = Voice.open(shutil.copytree(EARLIER_VOICE, folder))
    voice.make_samples()
    for step in (100, 130):
        append_sample(voice, spoken(voice, step, HOSTILE))
    append_comparison(voice, Comparison(1.0, "text2mel", 100, 130, "a", HOSTILE, ("a", "b")))
    misread = Misreading("skipped", HOSTILE, 0, 3, 0.5, 0.6)
    measured = SentenceMeasures(HOSTILE, measures={"skipped": 25.0}, misreadings=(misread,))
    append_evaluation(voice, Evaluation("text2mel", 130, 1e10, (measured,), held_out=0.5))
    out = folder.with_name("report.html")
    report(folder, out)
    return out


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("width", [390, 1280])
def test_it_reads_and_plays_offline_and_runs_nothing_of_others(chromium, hostile, width):
    context = chromium.new_context(viewport={"width": width, "height": 800}, offline=True)
    page = context.new_page()
    asked, told = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.goto(hostile.as_uri())

    sound = page.locator("audio").last
    assert sound.evaluate("sound => sound.play().then(() => sound.duration)") == pytest.approx(
        2, 0.1
    )
    assert [url for url in asked if not url.startswith("data:")] == [hostile.as_uri()]
    assert told == []
    assert page.title() == "<img src=x onerror=alert(1)>: voicecoach report"
    assert page.locator("img:not([src^='data:'])").count() == 0
    assert page.locator("h3", has_text="</script><img src=x").count() == 1
    assert page.locator("li", has_text="skips “</script><img src=x").count() == 1
    assert page.get_by_role("cell", name="25.0 %").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") == width
    context.close()


def test_it_tells_nothing_of_this_machine(hostile):
    text = hostile.read_text()
    assert str(hostile.parent) not in text
    assert str(Voice.open(EARLIER_VOICE).dataset) not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("out", "words"),
    [("report.txt", "ends in .html"), ("no/where.html", "make it first"), ("a.html", "a folder")],
)
def test_a_file_that_cannot_be_written_is_refused(tmp_path, out, words):
    (tmp_path / "a.html").mkdir()
    done = CliRunner().invoke(app, ["report", str(EARLIER_VOICE), "--out", str(tmp_path / out)])
    assert (done.exit_code, words in done.stderr) == (2, True)


def test_sounds_are_taken_in_order_until_the_room_is_used_up(tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    embed([one := Heard(WAV)])
    copy = Path(shutil.copy(WAV, tmp_path / "copy.flac"))
    (link := tmp_path / "link.wav").symlink_to(WAV.resolve())
    sounds = [Heard(broken), Heard(link), Heard(WAV), Heard(copy), Heard(WAV), Heard(copy)]
    embed(sounds, room=3 * len(one.sound))
    assert [sound.sound is not None for sound in sounds] == [False, False, True, True, True, False]


def test_a_chart_leaves_out_what_cannot_be_drawn():
    points = [(1, 2.0), (2, float("nan")), (3, 1.0), (4, float("inf"))]
    chart = chart_of("loss", [Curve("first", points)])
    assert chart is not None
    assert len(chart.shapes[0].line.split()) == 2
    percent = chart_of("finished", [Curve("first", [(1, 0.0), (2, 100.0)])])
    assert [tick.label for tick in percent.y_ticks] == ["0", "25", "50", "75", "100"]
    assert chart_of("loss", [Curve("first", points[1:2])]) is None
