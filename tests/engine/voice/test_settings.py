"""`voice.toml`: what a person may write in it, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.audio import AudioSpec
from engine.errors import InputError
from engine.run.options import parse_price
from engine.voice.settings import VoiceSettings, parse_settings, settings_text

PATH = Path("voices/alice/voice.toml")
SETTINGS = VoiceSettings(dataset=Path("recordings"), price=0.99, audio=AudioSpec(n_mels=40))
TEXT = settings_text(SETTINGS)


def whole(*lines: str) -> str:
    """A `voice.toml` with these lines in place of those of the same name."""
    names = [line.partition(" ")[0] for line in lines]
    others = [line for line in TEXT.splitlines() if line.partition(" ")[0] not in names]
    return "\n".join((*lines, *others, ""))


def test_what_was_written_is_read_back():
    assert parse_settings(TEXT, PATH) == SETTINGS


def test_a_file_that_was_cut_off_is_refused():
    lines = TEXT.splitlines(keepends=True)
    assert lines[-1].startswith("max_coarse_frames")
    for count in range(len(lines)):
        with pytest.raises(InputError, match=r"voice\.toml is incomplete: it lacks .*; restore it"):
            parse_settings("".join(lines[:count]), PATH)
    with pytest.raises(InputError, match=r"lacks limits\.max_coarse_frames; restore it"):
        parse_settings("".join(lines[:-1]), PATH)


@pytest.mark.parametrize("text", [bytes(4096).decode(), TEXT + bytes(100).decode()])
def test_what_a_power_cut_left_is_refused(text):
    with pytest.raises(InputError, match=r"voice\.toml is damaged: it holds NUL bytes; restore it"):
        parse_settings(text, PATH)


def test_a_file_of_the_first_version_is_read():
    later = ("dataset", "cleaner", "budget", "dropout", "checkpoint_minutes")
    text = "".join(line for line in TEXT.splitlines(keepends=True) if not line.startswith(later))
    assert parse_settings(text, PATH) == replace(SETTINGS, dataset=None)


def test_symbols_may_be_typed_in_any_unicode_form():
    assert parse_settings(whole('symbols = "PE aoa\u0308o\u0308"'), PATH).symbols == "PE aoäö"
    # Weights may have been trained with letters and accents apart.
    assert parse_settings(whole('symbols = "PE aoz\u0301"'), PATH).symbols == "PE aoz\u0301"


def test_the_one_sentence_of_an_earlier_version_is_the_first_of_several():
    old = whole('sentence = "Two birds."')
    settings = parse_settings(old, PATH)
    assert settings.sentences == ("Two birds.",)
    assert parse_settings(whole('sentence = ""'), PATH).sentences == ()
    untidy = whole("sentences = ['Two  birds. ', 'Two birds.', 'One.']")
    assert parse_settings(untidy, PATH).sentences == ("Two birds.", "One.")
    assert settings_text(replace(settings, price=2.0), settings, old).count("Two birds.") == 1
    new = settings_text(replace(settings, sentences=("One.", "Two.")), settings, old)
    assert parse_settings(new, PATH).sentences == ("One.", "Two.")
    assert 'sentences = [\n    "One.",\n    "Two.",\n]' in new


def test_clips_may_be_left_out_by_the_names_of_their_files():
    settings = parse_settings(whole("left_out = ['./a.wav', 'b', 'c.d.FLAC']"), PATH)
    assert settings.left_out == ("a", "b", "c.d")


def test_whole_numbers_will_do_for_fractions():
    settings = parse_settings(whole("price = 1", "dropout = 0"), PATH)
    assert (settings.price, settings.dropout) == (1.0, 0.0)


def test_what_a_person_wrote_stays_when_a_setting_changes():
    mine = "# my own words\n" + TEXT.replace(
        "price = 0.99", "price =   0.99   # until March"
    ).replace("seed = 1\n", "seed = 1 # lucky\n\n# and a line\n")
    changed = settings_text(
        replace(SETTINGS, price=0.5, sentences=("Hello there.",)), SETTINGS, mine
    )
    again = parse_settings(changed, PATH)
    assert (again.price, again.sentences) == (0.5, ("Hello there.",))
    for words in ("# my own words", "# until March", "# lucky", "# and a line"):
        assert words in changed
    untouched = [line for line in mine.splitlines() if not line.startswith(("price", "sentence"))]
    assert set(untouched) <= set(changed.splitlines())


def test_what_a_person_edited_meanwhile_stays():
    mine = TEXT.replace("checkpoint_every = 1000", "checkpoint_every = 250")
    changed = settings_text(replace(SETTINGS, sentences=("Hello there.",)), SETTINGS, mine)
    assert parse_settings(changed, PATH).checkpoint_every == 250


def test_a_setting_that_was_left_out_is_added_where_it_belongs():
    mine = TEXT.replace("budget = 0.0", "# none").replace("dropout", "# dropout")
    old = parse_settings(mine, PATH)
    changed = settings_text(
        replace(old, budget=30.0, audio=AudioSpec(n_mels=40, trim_db=50.0)), old, mine
    )
    again = parse_settings(changed, PATH)
    assert again.budget == 30
    assert again.audio == AudioSpec(n_mels=40, trim_db=50.0)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("prize = 1.0", "prize"),
        ('price = "1"', "price"),
        ("price = true", "price"),
        ("price = -1.0", "price"),
        ("price = nan", "price"),
        ("price = inf", "price"),
        (f"price = 1{'0' * 400}", "price"),
        ("seed = 0", "seed"),
        ("seed = 1.5", "seed"),
        ("seed = 99999999999999999999", "seed"),
        ("checkpoint_every = 0", "checkpoint_every"),
        ("keep_newest = -5", "keep_newest"),
        ("dropout = 1", "dropout"),
        ("dropout = -0.1", "dropout"),
        ("dropout = nan", "dropout"),
        ('preset = "huge"', "preset"),
        ('recipe = "mine"', "recipe"),
        ('symbols = "abc"', "P"),
        ("symbols = 3", "symbols"),
        ("sentence = 1979-05-27", "write it like ['Good morning.']"),
        ("sentences = 'Two birds.'", "write it like ['Good morning.']"),
        ("sentences = ['a', 5]", "write it like ['Good morning.']"),
        ("left_out = 'clip-7'", "write it like ['clip-2']"),
        ("sentences = ['a', ' ']", "an empty one"),
        (f"sentences = {['a'] * 13}", "length <= 12"),
        ("sentence = 'a'\nsentences = ['b']", "delete sentence"),
        ("audio = 3", "audio"),
        ("[audio]\nhops = 1", "audio.hops"),
        ("[audio]\nhop_length = 0", "audio.hop_length"),
        ("[audio]\nreduction = 2", "audio.reduction"),
        ("[audio]\nwin_length = 4096", "audio.win_length"),
        ("[audio]\nhop_length = 2000", "audio.hop_length"),
        ("[audio]\nn_fft = 1000000", "audio.n_fft"),
        ("[audio]\nn_mels = 5000", "audio.n_mels"),
        ("[limits]\nmax_characters = 1", "max_characters"),
        ("[limits]\nmax_frames = 3", "limits.max_frames"),
        ("price = ", "line 2"),
        ("cleaner = 'german'", "cleaner"),
        ("price = 1\nprice = 2", "line 3"),
        ("[[audio]]", "audio"),
    ],
)
def test_a_setting_of_no_use_is_refused_by_name(line, word):
    with pytest.raises(InputError) as caught:
        parse_settings(f'dataset = "x"\n{line}\n', PATH)
    assert str(PATH) in str(caught.value)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["dataset = 3", 'dataset = ""', "dataset = ["])
def test_a_dataset_that_is_no_path_is_refused(text):
    with pytest.raises(InputError, match=r"voice\.toml"):
        parse_settings(text, PATH)


def test_an_imported_voice_has_no_dataset():
    settings = replace(SETTINGS, dataset=None)
    assert "dataset =" not in settings_text(settings)
    assert parse_settings(settings_text(settings), PATH) == settings


NAMES = st.sampled_from([*VoiceSettings.__dataclass_fields__, "audio.n_fft", "limits", "x", ""])
VALUES = st.sampled_from(
    [
        *["1", "-1", "0.5", "nan", "inf", "1e400", "0x7fffffffffff", "true", "'s'", "[]", "{}"],
        "9" * 5000,
        '"""',
        "{n_mels = 3}",
    ]
) | st.text(max_size=8)
LINES = st.builds("{} = {}".format, NAMES, VALUES) | st.sampled_from(["[audio]", "[[limits]]", "#"])


@settings(deadline=None)
@given(st.lists(LINES, max_size=6).map("\n".join) | st.text(max_size=60))
def test_any_text_is_a_voice_or_bad_input(text):
    for said in (text, whole(*text.split("\n"))):
        try:
            settings = parse_settings(said, PATH)
        except InputError:
            continue
        assert parse_settings(settings_text(settings), PATH) == settings


def test_a_price_that_the_cloud_says_is_one_word_in_the_file(tmp_path):
    path = tmp_path / "voice.toml"
    settings = replace(parse_settings(whole('price = "auto"'), path), seed=2)
    assert (settings.price, settings.price_auto) == (0.0, True)
    text = settings_text(settings)
    assert 'price = "auto"' in text
    assert "price_auto" not in text
    assert parse_settings(text, path) == settings
    numbered = settings_text(replace(settings, price=0.5, price_auto=False), settings, text)
    assert parse_settings(numbered, path).price == 0.5
    for wrong in ('price = "dear"', "price_auto = true"):
        with pytest.raises(InputError, match="price"):
            parse_settings(f'dataset = "x"\n{wrong}\n', path)


@pytest.mark.parametrize(("text", "price"), [("0.99", 0.99), ("$3", 3.0), (" auto ", "auto")])
def test_prices_are_read_as_they_are_said(text, price):
    assert parse_price(text) == price


@pytest.mark.parametrize("text", ["", "cheap", "$", "AUTO", "1,5"])
def test_a_price_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="--price"):
        parse_price(text)
