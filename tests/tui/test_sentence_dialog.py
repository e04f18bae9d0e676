"""What `e` asks, and how it shows what the voice will read."""

import pytest
from fake_session import training
from seeing import opened

from engine.run.commands import SetSentences
from engine.voice.folder import Voice, VoiceSettings


@pytest.fixture
def voice(tmp_path):
    folder = tmp_path / "voice"
    Voice.create(folder, VoiceSettings(dataset=tmp_path / "recordings"))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("attached", [False, True])
async def test_it_shows_how_the_sentence_will_be_read(voice, attached):
    snapshot = training(voice_folder=voice, sentences=("One.",))
    async with opened(snapshot, attached=attached, size=(53, 20)) as run:
        await run.press("e")
        await run.until(lambda: "one." in run.text)
        for said, meanings in (
            ("It costs $5.", ["it costs five dollars."]),
            ("[bold]naïve ☃", ["bold, naive", "not spoken, no symbol for: "]),
            ("word " * 60, ["longer than 179 characters: spoken in pieces"]),
            ("go. " * 600, ["only the first 2,000 characters are kept"]),
        ):
            run.answer = said
            for meaning in meanings:
                await run.until(lambda meaning=meaning: meaning in run.words)
            assert "enter accepts" in run.text
        # What is too long for the dialog scrolls.
        run.answer = "so on. " * 20 + "the end."
        await run.until(lambda: "so on. so on." in run.words)
        assert "the end" not in run.words.replace(run.answer[-60:], "")
        await run.press(*["down"] * 5)
        await run.until(lambda: "so on. the end." in run.words)
        run.answer = "☃ …"
        await run.press("enter")
        assert "There is nothing to speak" in run.words
        assert not run.sent
        run.answer = "Snow ☃"
        await run.press("enter")
        assert run.sent == [SetSentences(("Snow ☃",))]
