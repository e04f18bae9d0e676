"""What the screen and the lines say of a voice's copy elsewhere."""

from fake_session import NOON, FakeSession, training
from seeing import app_on, look, text_of

from engine.run.snapshot import MirrorState
from tui.process.headless import line_about
from tui.widgets.notice import mirror_words

BEHIND = MirrorState(
    "s3://bucket/alice",
    safe_step=870_000,
    pending=2,
    trouble="cannot read mirror.json at s3://bucket/alice: Could not connect [to] the server",
    since=NOON.timestamp() - 120,
)
UNNAMED = MirrorState(
    "s3://evil/[alice]",
    trouble="voice.toml names the mirror s3://evil/[alice]: nothing is copied; give --mirror X",
    unnamed=True,
)


async def test_the_step_that_is_safe_elsewhere_is_shown():
    app = app_on(FakeSession(training(mirror=MirrorState("s3://bucket/alice", 871_000))))
    async with app.run_test(size=(120, 40)) as pilot:
        await look(app, pilot)
        assert "mirror 871,000" in text_of(app)
        assert "behind" not in text_of(app)


async def test_a_mirror_out_of_reach_is_said_on_top_and_gone_once_it_is_back():
    session = FakeSession(training(mirror=BEHIND))
    app = app_on(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await look(app, pilot)
        said = " ".join(text_of(app).split())
        assert "Mirror behind since 14:00:" in said
        assert "Could not connect [to] the server" in said
        assert "Safe there: step 870,000." in said
        assert "mirror behind" in said
        session.change(mirror=MirrorState("s3://bucket/alice", 871_000))
        await look(app, pilot)
        assert "behind" not in text_of(app)


async def test_a_mirror_that_nobody_named_is_said_to_get_nothing():
    app = app_on(FakeSession(training(mirror=UNNAMED)))
    async with app.run_test(size=(80, 24)) as pilot:
        await look(app, pilot)
        said = " ".join(text_of(app).split())
        assert "No mirror: voice.toml names the mirror s3://evil/[alice]: nothing is copied" in said
        assert "nothing copied" in said
        assert "behind" not in said
    assert line_about(training(mirror=UNNAMED)).endswith("nothing is copied to a mirror")


def test_a_run_without_a_mirror_says_nothing_of_one():
    assert mirror_words(training()).plain == ""
    assert "mirror" not in line_about(training())


def test_the_lines_of_a_run_without_a_screen_have_it_too():
    safe = MirrorState("s3://bucket/alice", 871_000)
    assert line_about(training(mirror=safe)).endswith("step 871,000 safe in the mirror")
    assert "870,000 safe in the mirror, which is behind" in line_about(training(mirror=BEHIND))
    assert "nothing safe in the mirror" in line_about(training(mirror=MirrorState("s3://b/a")))
