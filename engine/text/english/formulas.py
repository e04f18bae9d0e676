"""Formulas of chemistry and sums with an equals sign: H2SO4, 10 / 2 = 5."""

import re

from engine.text.english.numbers import cardinal
from engine.text.english.rules import Found, Rules, any_of, spoken_forms, word_list

formulas_spoken = Rules(apart=True)
"""Compounds letter by letter, and operators between numbers as words."""

_ELEMENT = f"(?:{'|'.join(sorted(any_of('elements').split('|'), key=len, reverse=True))})"
_GROUP = rf"(?:{_ELEMENT}\d{{0,3}}|\((?:{_ELEMENT}\d{{0,2}}){{1,6}}\)\d{{0,2}})"
_COMPOUNDS = word_list("compounds")
# Several numbers of atoms, or one after one or two elements or after oxygen: no B2B or COP26.
_COUNTED = re.compile(
    r"(?:\D{1,9}\d{1,3}){1,8}\D{1,9}\d{0,3}|[A-Z][a-z]?(?:[A-Z][a-z]?)?[2-9]\d?|[A-Z]\D{0,6}O[2-9]"
)
_SALT = re.compile(r"(?=[A-Z]*[a-z])[A-Z][a-z]?(?:[A-Z]|Cl|Br|OH|CN)")
_PART = re.compile(r"[A-Za-z]|\d+")


@formulas_spoken.reads(
    rf"(?<![A-Za-z.'’-])({_GROUP}{{2,8}}|[HONF]2)(?![A-Za-z\d'’])(?!-\d| \d[A-Z]{{2}}\b)"
)
def _compound(found: Found) -> str | None:
    formula = found[1]
    form = _COUNTED if any(map(str.isdecimal, formula)) else _SALT
    if formula not in _COMPOUNDS and not form.fullmatch(formula):
        return None
    parts = _PART.findall(formula)
    words = " ".join(cardinal(part) if part.isdecimal() else part for part in parts)
    # So that a full stop is not the dot of an initial.
    return words.lower() if found.after(1) == "." else words


_OPERATORS = spoken_forms("operators")
_TERM = r"[-−]?\(?(?:\d{1,12}|\d{1,3}(?:,\d{3}){1,3})(?:\.\d{1,9})?%?\)?"
_SUM = rf"{_TERM}(?: ?[-+−–xX*×·÷/] ?{_TERM}){{1,9}}"
_OPERATOR = re.compile(r"(?<=[\d)%])(?: ?([-+−–xX*×·÷=]) ?| (/) )(?=[-−(\d])")
_QUOTIENT = re.compile(r"(\d{1,9})/(\d{1,9})")


def _calculated(found: Found) -> str:
    words = _OPERATOR.sub(lambda sign: f" {_OPERATORS[sign[1] or sign[2]]} ", found[0])
    # 1/2 stays a fraction, 10/2 does not.
    return _QUOTIENT.sub(
        lambda of: of[0] if int(of[1]) < int(of[2]) else f"{of[1]} divided by {of[2]}", words
    )


formulas_spoken.add(
    rf"(?<![\w.,/]){_SUM} ?=(?: ?{_TERM}(?: ?[-+−xX*×·÷/] ?{_TERM}){{0,9}})?", _calculated
)
formulas_spoken.add(rf"(?<==)(?: ?){_TERM}(?: [-+−xX*×·÷/] {_TERM}){{1,9}}(?![\w/-])", _calculated)
