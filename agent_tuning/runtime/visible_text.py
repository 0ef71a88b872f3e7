"""Text of models, servers and other people, made safe to print: control characters are shown.

A terminal obeys escape sequences, and a mark of direction reorders what people read. Both are
written as Python writes them: \\x1b, \\u202e.
"""

import unicodedata

# Other, control; format; surrogate; line and paragraph separators.
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
JOINERS = "\u200c\u200d"  # format characters that scripts and emoji need; they reorder nothing


def show_controls(text: str, kept: str = "") -> str:
    """The text with every hidden character escaped, line ends too, except those in `kept`."""
    if text.isprintable():
        return text
    allowed = kept + JOINERS
    return "".join(
        char if char in allowed or unicodedata.category(char) not in HIDDEN else _escape(char)
        for char in text
    )


def _escape(char: str) -> str:
    return ascii(char)[1:-1]
