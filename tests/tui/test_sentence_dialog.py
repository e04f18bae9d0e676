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
        await run.until(lambda: "one." in run.dialog)
        for said, meanings in (
            ("It costs $5.", ["it costs five dollars."]),
            ("[bold]naïve ☃", ["bold, naive", "not spoken, no symbol for: "]),
            ("word " * 60, ["longer than 179 characters: spoken in pieces"]),
            ("go. " * 600, ["only the first 2,000 characters are kept"]),
        ):
            run.answer = said
            for meaning in meanings:
                await run.until(lambda meaning=meaning: meaning in run.dialog)
            assert "ctrl+s saves" in run.dialog
        # What is too long for the dialog scrolls.
        run.answer = "so on. " * 20 + "$5"
        await run.until(lambda: "2,000 characters" not in run.dialog)
        assert "five dollars" not in run.dialog
        await run.press(*["pagedown"] * 5)
        await run.until(lambda: "five dollars" in run.dialog)
        run.answer = "☃ …"
        await run.press("ctrl+s")
        assert "There is nothing to speak" in run.dialog
        assert not run.sent
        run.answer = "Snow ☃"
        await run.press("ctrl+s")
        assert run.sent == [SetSentences(("Snow ☃",))]


@pytest.mark.slow
async def test_each_line_is_a_sentence(voice):
    snapshot = training(voice_folder=voice, sentences=("One.", "Room 2.", "Three."))
    async with opened(snapshot, size=(80, 24)) as run:
        await run.press("e", "down")
        await run.until(lambda: "room two." in run.dialog)
        await run.press("down", "end", "enter", *"4.", "enter")
        await run.until(lambda: "an empty line is left out" in run.dialog)
        await run.press("ctrl+s")
        assert run.sent == [SetSentences(("One.", "Room 2.", "Three.", "4."))]
        await run.press("e")
        await run.until(lambda: "one." in run.dialog)
        run.answer = "One.\n...\nThree."
        await run.press("ctrl+s")
        await run.until(lambda: "There is nothing to speak" in run.dialog)
        await run.press("5", "ctrl+s")
        assert run.sent[1:] == [SetSentences(("One.", "...5", "Three."))]
        await run.press("e")
        run.answer = "\n".join(f"Number {number}." for number in range(13))
        await run.press("ctrl+s")
        await run.until(lambda: "12 is the maximum" in run.dialog)
        await run.press("escape", "e", "ctrl+s")
        assert len(run.sent) == 2


@pytest.mark.slow
async def test_keys_of_a_pasted_text_stay_in_the_field(voice):
    snapshot = training(voice_folder=voice, sentences=("One.",))
    async with opened(snapshot, size=(40, 15)) as run:
        # Without bracketed paste the terminal sends keys.
        await run.press("e", "end", "enter", *"cap", "enter", *"Three", "enter", *"Four")
        assert "enter: new line · ctrl+s: save" in run.dialog
        assert all(line in run.dialog for line in ("One.", "cap", "Three", "Four"))
        await run.press("ctrl+s")
        assert run.sent == [SetSentences(("One.", "cap", "Three", "Four"))]
        for closes in ("ctrl+s", "escape"):
            await run.press("e", closes)
            assert run.at_home
        assert len(run.sent) == 1
