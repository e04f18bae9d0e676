"""Text of many languages, read in the symbols that a voice has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text.mapping import vocabulary_option
from engine.text.plain import alphabet
from engine.text.vocabulary import Vocabulary

LATIN = "PE abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("symbols", "text", "read"),
    [
        # French, German in NFD, Spanish, Polish
        (LATIN + "éœ'.-", "L’été — «l´œuvre» ici…", "l'été - l'œuvre ici."),
        (LATIN + "éœ’.–", "L'été - peut-être", "l’été – peut etre"),
        (LATIN + "äß,", "Ha\u0308user, Straße", "häuser, straße"),
        (LATIN + "ñ¿?", "¿Man\u0303ana?", "¿mañana?"),
        (LATIN + "łóż", "ŁÓŻKO", "łóżko"),
        # Russian with and without marks of stress, Ukrainian
        ("PE за́мок", "За́мок. Замо́к", "за́мок замо́к"),
        ("PE замок", "За́мок", "замок"),
        ("PE пять'", "Пʼять", "п'ять"),
        ("PE пятьʼ", "П’ять", "пʼять"),
        # Greek: final sigma, tonos
        ("PE οδόςσ;", "ΟΔΟΣ ΣΟΣ. Οδός;", "οδος σος οδός;"),
        ("PE οδόσ", "ΟΔΟΣ οδός", "οδοσ οδόσ"),
        # Turkish; elsewhere I is i.
        (LATIN + "ıçğş", "IĞDIR İÇİN Işık", "ığdır için ışık"),
        (LATIN, "İstanbul IN", "istanbul in"),
        # Vietnamese: as many of the marks as there are symbols for
        (LATIN + "âấ", "Ấm ẩm ậm", "ấm âm âm"),
        # Hindi: vowel signs are symbols; a letter with a nukta is read as two.
        ("PE हिन्दीक\u093c।", "हिन्दी \u0958। x", "हिन्दी क\u093c।"),
        # Korean in NFD, and a vocabulary of its parts
        ("PE 가나", "\u1100\u1161\u1102\u1161", "가나"),
        ("PE \u1100\u1161\u1102\u11ab", "간나", "\u1100\u1161\u11ab\u1102\u1161"),
        # Romanian with cedillas, Persian with Arabic letters, Arabic with vowels and tatweel
        (LATIN + "șț", "Şi ţara", "și țara"),
        ("PE می‌خواکتب", "مي‌خوا كتب", "می‌خوا کتب"),
        ("PE كتاب,?", "كِتـَاب، كتاب؟", "كتاب, كتاب?"),
        ("PE שלוםצה-", "שָׁלוֹם צה״ל־", "שלום צהל-"),
        # Ligatures, full-width forms, invisible characters, spaces that do not break
        (LATIN + "!", "ﬁne Ｆｕｌｌ！ co\u00adop a\u200db\u00a0\u202fc", "fine full! coop ab c"),
        (LATIN + "あ、", "あ，あ", "あ、あ"),
        (LATIN + ".,", "„Ja“, «oui».", "ja, oui."),
        (LATIN + '".', "„Ja.“ «Oui.»", '"ja." "oui."'),
        (LATIN + "“”", 'He said "no"', "he said “no“"),
        (LATIN + "…", "Well... no", "well… no"),
    ],
)  # fmt: skip
def test_plain_text(symbols: str, text: str, read: str) -> None:
    vocabulary = Vocabulary(symbols[:2] + "".join(dict.fromkeys(symbols[2:])), "plain")
    assert vocabulary.clean(text) == read
    assert vocabulary.clean(read) == read


@given(st.text(), st.text(max_size=30))
def test_any_text_is_read_in_any_symbols(text: str, symbols: str) -> None:
    readable = dict.fromkeys(c for c in symbols if c not in "PE ")
    vocabulary = Vocabulary("PE " + "".join(readable), "plain")
    cleaned = vocabulary.clean(text)
    assert vocabulary.clean(cleaned) == cleaned
    assert len(vocabulary.encode(text)) == len(cleaned) + 1
    for unknown in vocabulary.unknown(text):
        assert set(vocabulary.replacement(unknown)) <= set(vocabulary.symbols[2:])


def test_what_is_read_in_full_is_not_unknown() -> None:
    german = Vocabulary(LATIN + "ä'", "plain")
    assert german.unknown("A\u0308 ﬁ Ｆ\u00a0co\u00adop") == {}
    assert german.unknown("’ é") == {"’": 1, "é": 1}


@pytest.mark.parametrize(
    ("texts", "symbols"),
    [
        (["L’été – «oui»…", "Où ?"], "abcdefghijklmnopqrstuvwxyzéù'.?-"),
        (["Ha\u0308user!"], "abcdefghijklmnopqrstuvwxyzä!"),
        (["Işık, İyi"], "abcdefghijklmnopqrstuvwxyzış,"),
        (["За́мок. Вот"], "\u0301авзкмот."),
        (["हिन्दी।"], "\u093f\u0940\u094dदनह."),
        (["안녕, 나"], "\u11bc\u11ab\u1167\u1161\u110b\u1102,"),
        (["كتـاب كل كب كم کل"], "ابتكلم"),
        (["ﬁn Ａ"], "abcdefghijklmnopqrstuvwxyz"),
    ],
)
def test_alphabet_of_texts_is_a_vocabulary_that_reads_them(texts, symbols) -> None:
    assert alphabet(texts) == symbols
    vocabulary = Vocabulary(vocabulary_option("PE " + symbols, "plain"), "plain")
    assert vocabulary.symbols == "PE " + symbols
    unknown = {c for text in texts for c in vocabulary.unknown(text) if c.isalpha()}
    assert {vocabulary.replacement(c) for c in unknown} <= {"ك"}
