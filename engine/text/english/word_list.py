"""Lists of words, written as a line of text."""


def word_list(words: str) -> frozenset[str]:
    """The words of a text, in no order."""
    return frozenset(words.split())
