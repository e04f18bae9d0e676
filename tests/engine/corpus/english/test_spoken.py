"""English text as it is spoken, case by case."""

import subprocess
import sys

import pytest

from engine.corpus.english import spoken

NUMBERS = {
    "0 1 12 100": "zero one twelve one hundred",
    "105 men": "one hundred and five men",
    "1,234,567": "one million two hundred and thirty four thousand five hundred and sixty seven",
    "3.14 and 0.05 and .5": "three point one four and zero point zero five and point five",
    "-5 or −3.2": "minus five or minus three point two",
    "agent 007": "agent zero zero seven",
    "1,000,000,000": "one billion",
    "12345678901": "one two three four five six seven eight nine zero one",
    "1500000 people": "one million five hundred thousand people",
    "Call 555-1234.": "Call five five five, one two three four.",
    "(555) 123-4567": "five five five, one two three, four five six seven",
    "1st, 22nd, 101st": "first, twenty second, one hundred and first",
    "the 3rd.": "the third.",
    "1,000th 12th 20th": "one thousandth twelfth twentieth",
    "21st-century": "twenty first-century",
    "1/2, 3/4, 2/3, 5/8": "one half, three quarters, two thirds, five eighths",
    "1 1/2 and 3¾": "one and a half and three and three quarters",
    "½ or ⅓": "one half or one third",
    "50% or 5.5 %": "fifty percent or five point five percent",
    "10%-20%, 3-4%": "ten percent to twenty percent, three to four percent",
    "pages 5-10": "pages five to ten",
    "5 – 10 men": "five to ten men",
    "a score of 3:1": "a score of three to one",
    "open 24/7 since 9/11": "open twenty four seven since nine eleven",
    "version 1.2.3": "version one point two point three",
    "ISBN 978-3-16": "I S B N nine seven eight three one six",
    "5-year-old": "five-year-old",
    "COVID-19, F-16": "COVID-nineteen, F-sixteen",
    "MP3, 3D, B2B": "M P three, three D, B two B",
    "３ ٣ ① Ⅷ": "three three one eight",
    "3.1415926535897932384626": (
        "three point one four one five nine two six five three five eight nine seven nine "
        "three two three eight four six two six"
    ),
}
YEARS = {
    "1066, 1905, 1900": "ten sixty six, nineteen oh five, nineteen hundred",
    "2000, 2007, 2024": "two thousand, two thousand and seven, twenty twenty four",
    "1914–1918": "nineteen fourteen to nineteen eighteen",
    "1914-18": "nineteen fourteen to eighteen",
    "the 1990s": "the nineteen nineties",
    "the '90s, the 60s": "the nineties, the sixties",
    "the 1900s and 2000s": "the nineteen hundreds and two thousands",
    "pre-1914 and mid-1990s": "pre-nineteen fourteen and mid-nineteen nineties",
    "B-52s and 747s": "B-fifty twos and seven hundred and forty sevens",
    "the summer of '68": "the summer of sixty eight",
    "in 55 BC": "in fifty five B C",
    "A.D. 79": "A D seventy nine",
    "1,905 men": "one thousand nine hundred and five men",
    "1905 men": "one thousand nine hundred and five men",
    "In 1905 men left.": "In one thousand nine hundred and five men left.",
    "In 1905 ships left.": "In nineteen oh five ships left.",
    "1905 km": "one thousand nine hundred and five kilometres",
    "$1905": "one thousand nine hundred and five dollars",
    "the 1984/85 season": "the nineteen eighty four eighty five season",
}
MONEY = {
    "$5": "five dollars",
    "$1": "one dollar",
    "$5.20": "five dollars and twenty cents",
    "£1.01": "one pound and one penny",
    "$0.99": "ninety nine cents",
    "$1,234.00": "one thousand two hundred and thirty four dollars",
    "£3 million": "three million pounds",
    "$1.5bn": "one point five billion dollars",
    "€10 or 10 €": "ten euros or ten euros",
    "50¢, 50p": "fifty cents, fifty pence",
    "¥500": "five hundred yen",
    "£5k": "five thousand pounds",
    "$5-10": "five to ten dollars",
    "-$5": "minus five dollars",
    "a $5 bill": "a five dollar bill",
    "20 USD": "twenty dollars",
    "£7 10s. 6d.": "seven pounds, ten shillings, six pence",
}
TIMES = {
    "7:30": "seven thirty",
    "at 7:05 p.m. today": "at seven oh five p m today",
    "12:00": "twelve o'clock",
    "18:45 or 18:00": "eighteen forty five or eighteen hundred hours",
    "10am": "ten a m",
    "7.30pm": "seven thirty p m",
    "9-5pm": "nine to five p m",
    "9:00–17:30": "nine o'clock to seventeen thirty",
    "00:00": "midnight",
    "10:30:15": "ten thirty and fifteen seconds",
    "at 5 p.m. Monday": "at five p m Monday",
    "at 5 p.m. He left.": "at five p m. He left.",
    "John 3:16": "John three sixteen",
    "12 March 1999": "the twelfth of March nineteen ninety nine",
    "on the 12th of March": "on the twelfth of March",
    "March 12th": "March twelfth",
    "Nov. 22, 1963,": "November twenty second, nineteen sixty three,",
    "12-15 March": "the twelfth to the fifteenth of March",
    "1999-03-12": "the twelfth of March nineteen ninety nine",
    "3/4/1999": "the third of April nineteen ninety nine",
    "12/25/1999": "the twenty fifth of December nineteen ninety nine",
    "in May 1999": "in May nineteen ninety nine",
}
MEASURES = {
    "5 km, 1 km": "five kilometres, one kilometre",
    "10kg": "ten kilograms",
    "3 ft. tall": "three feet tall",
    "It is 3 ft. He left.": "It is three feet. He left.",
    "20°C, -5 °F": "twenty degrees Celsius, minus five degrees Fahrenheit",
    "5–10°C": "five to ten degrees Celsius",
    "60 mph": "sixty miles per hour",
    "5'10\"": "five foot ten",
    "6’2” tall": "six foot two tall",
    "3 GB, 50 Hz": "three gigabytes, fifty hertz",
    "100 km/h": "one hundred kilometres per hour",
    "11.2 m.p.h. on": "eleven point two miles per hour on",
    "10 km/day, $5/kg": "ten kilometres per day, five dollars per kilogram",
    "a 6.5-mm. rifle": "a six point five millimetre rifle",
    "9.8 m/s²": "nine point eight metres per second squared",
    "5 m²": "five square metres",
    "½ km, 3/4 h": "half a kilometre, three quarters of an hour",
    "a 5 km run": "a five kilometre run",
    "a 5-km run": "a five kilometre run",
    "5 in the morning": "five in the morning",
    "2 × 4 = 8": "two times four equals eight",
    "10² and x³": "ten squared and x cubed",
    "10^6": "ten to the power of six",
    "4x4": "four by four",
    "~20 or <5": "about twenty or less than five",
    "51°30′N": "fifty one degrees thirty minutes north",
}
ROMAN = {
    "Henry VIII had": "Henry the eighth had",
    "Chapter IV": "Chapter four",
    "World War II": "World War two",
    "World War I": "World War one",
    "Louis XIV's": "Louis the fourteenth's",
    "George V.": "George the fifth.",
    "Malcolm X": "Malcolm X",
    "Charles I was king": "Charles the first was king",
    "Charles, I know you": "Charles, I know you",
    "In part I agree": "In part I agree",
    "I saw it, and I left.": "I saw it, and I left.",
    "the XIX century": "the nineteenth century",
    "Vol. II, p. 5": "volume two, page five",
    "a CD MIX, Section C": "a C D MIX, Section C",
    "MCMXCIX": "nineteen ninety nine",
}
ABBREVIATIONS = {
    "Mr. and Mrs. Smith": "Mister and Missis Smith",
    "Mr Smith, MR. SMITH": "Mister Smith, Mister SMITH",
    "Dr. Who": "Doctor Who",
    "Rodeo Dr.": "Rodeo Drive.",
    "St. Paul's": "Saint Paul's",
    "12 Baker St. is": "twelve Baker Street is",
    "on Main St. He left": "on Main Street. He left",
    "Bury St. Edmunds": "Bury Saint Edmunds",
    "tea, etc., and milk etc.": "tea, et cetera, and milk et cetera.",
    "etc. Then": "et cetera. Then",
    "e.g. this, i.e. that": "for example this, that is that",
    "us vs. them": "us versus them",
    "No. 5 and nos. 6 and 7": "number five and numbers six and seven",
    "rifle No. C2766": "rifle number C two thousand seven hundred and sixty six",
    "No. I will not.": "No. I will not.",
    "He said no. 5 left.": "He said number five left.",
    "Jan. 5, Sept. 11": "January fifth, September eleventh",
    "Prof. X, Gen. Lee, Capt. Cook": "Professor X, General Lee, Captain Cook",
    "the Rev. J. Smith, the Hon. Lord": "the Reverend J Smith, the Honourable Lord",
    "Smith & Co., Foo Ltd.": "Smith and company, Foo limited.",
    "King, Jr. spoke": "King, junior spoke",
    "approx. 5 in the dept. of": "approximately five in the department of",
    "fig. 3, p. 5, pp. 5-7": "figure three, page five, pages five to seven",
    "He ate a fig. Then": "He ate a fig. Then",
    "Lieut. Brown": "Lieutenant Brown",
    "Ph.D. thesis": "p h d thesis",
}
INITIALS = {
    "J. F. Kennedy, J.F. Kennedy": "J F Kennedy, J F Kennedy",
    "John F. Kennedy": "John F Kennedy",
    "Plan B. He left.": "Plan B. He left.",
    "He and I. Then we": "He and I. Then we",
    "the U.S.A. today": "the U S A today",
    "in the U.S. It is": "in the U S. It is",
    "the U.S. Army": "the U S Army",
    "E. coli": "E coli",
    "he met J. Edgar": "he met J Edgar",
    "1026 N. Beckley Ave. in": "ten twenty six N Beckley avenue in",
    "the BBC's GPU": "the B B C's G P U",
    "CDs and MPs": "C D's and M P's",
    "WARNING, NASA": "WARNING, NASA",
    "WHY NOT TRY": "WHY NOT TRY",
    "IT IS FOR ALL OF US": "IT IS FOR ALL OF US",
    "the US and us": "the U S and us",
    "shh, SHH, HMM": "shh, SHH, HMM",
    "AT&T, R&B, Q&A": "A T and T, R and B, Q and A",
    "OK, TV": "okay, T V",
}
SIGNS = {
    "salt & pepper": "salt and pepper",
    "#5 and #tag": "number five and hash tag",
    "2 + 2 = 4": "two plus two equals four",
    "me@example.com": "me at example dot com",
    "See https://www.example.com/a-b.": "See w w w dot example dot com slash a dash b.",
    "he/she and/or input/output": "he or she and or input output",
    "*very* _good_": "very good",
    "π, Ω and μ": "pi, omega and mu",
    "5 - 3 = 2": "five minus three equals two",
    "§ 5": "section five",
}
MARKS = {
    "one — two": "one; two",
    "one—two -- three - four": "one; two; three; four",
    "“Yes,” he said.": "Yes, he said.",
    "It's the dogs’ bone": "It's the dogs' bone",
    "'Come in,' she said. 'It's cold.'": "Come in, she said. It's cold.",
    "'Tis rock 'n' roll": "'Tis rock 'n' roll",
    "a man (who left) came": "a man, who left, came",
    "He left (really).": "He left, really.",
    "Nothing. (Aside) No": "Nothing. Aside, No",
    "word(s) [sic]": "words, sic",
    "Wait... what? And… So": "Wait; what? And. So",
    "What?! No!!!": "What? No!",
    "one ,two;three": "one, two; three",
    "the end.Then": "the end. Then",
    "well-known pre- and post-war": "well-known pre and post-war",
    "—Hello, but—": "Hello, but;",
}
CHARACTERS = {
    "R&amp;D &#8217;til&nbsp;ten &lt;b&gt;": "R and D 'til ten",
    "<i>one</i><br/>two <p class='x'>three</p>": "one two three",
    "a < b and c > d": "a b and c d",
    "na\u00efve cafe\u0301 Æsop straße": "naive cafe Aesop strasse",
    "Привет, 東京": "Privet, dongjing",
    "ﬁne ｆｉｎｅ 𝐟𝐢𝐧𝐞": "fine fine fine",
    "zero\u200bwidth\ufeff soft\u00adhyphen \x00nul": "zerowidth softhyphen nul",
    "yes 😀 no": "yes no",
    "word.¹ next": "word. next",
    "H₂O": "H two O",
    "¿Qué? ¡No!": "Que? No!",
    "\ud800a": "a",
    "one\ntwo 5\r\n6": "one\ntwo five\nsix",
    "": "",
    " \t ": "",
    "...": "",
}
CASES = {
    **NUMBERS, **YEARS, **MONEY, **TIMES, **MEASURES, **ROMAN, **ABBREVIATIONS, **INITIALS, **SIGNS,
    **MARKS, **CHARACTERS,
}  # fmt: skip


@pytest.mark.parametrize("written", CASES)
def test_spoken(written: str) -> None:
    assert spoken(written) == CASES[written]


def test_a_text_that_is_words_already_stays() -> None:
    text = (
        "Printing, then, for our purpose, may be considered as the art of making books; by types."
    )
    assert spoken(text) == text


def test_libraries_are_loaded_only_for_texts_that_need_them() -> None:
    script = (
        "import sys; from engine.corpus.english import spoken; spoken('Mr. Fox, e.g., left (St.)')"
        "; sys.exit(any(name in sys.modules for name in ('inflect', 'anyascii')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
