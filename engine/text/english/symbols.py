"""Signs that are words: & @ # + = § × and the like."""

import re

from engine.text.english.rules import Rules, one_of, spoken_forms

arrows_spoken = Rules("arrows")
"""Arrows as words, and signs that compare two things."""
number_signs_spoken = Rules("beside_numbers")
"""Signs that say something only beside a number: #5, ~20, 3 × 4, 10^6."""
signs_spoken = Rules()
"""All other signs as words."""

_GREEK = spoken_forms("greek")
_SIGNS = spoken_forms("signs")
_CHOICES = spoken_forms("choices")
_NEXT_IN_HASHTAG = re.compile(r"(?<=[a-z])(?=[A-Z])|_")

signs_spoken.add(
    r"(?<![^\W_])([\u0391-\u03a9\u03b1-\u03c9])(?![^\W\d_])", lambda x: f" {_GREEK[x[1].lower()]} "
)
signs_spoken.add(r"(?<![\w'’])([A-G])#(?!\w)", r"\1 sharp")
# Its words, as far as capitals separate them: #MeToo.
signs_spoken.add(
    r"(?<!\w)#([^\W\d_]\w{0,60})", lambda found: f"hashtag {_NEXT_IN_HASHTAG.sub(' ', found[1])}"
)
signs_spoken.add(rf"(?i)\b({one_of(_CHOICES)})\b", lambda found: _CHOICES[found[1].lower()])
signs_spoken.add(r" ?[/\\] ?", " ")
signs_spoken.add(f" ?({one_of(_SIGNS)}) ?", lambda found: f" {_SIGNS[found[1]]} ")
