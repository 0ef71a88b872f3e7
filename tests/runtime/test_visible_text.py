"""Control characters and marks of direction are shown; everything that people read stays."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from agent_tuning.runtime.visible_text import HIDDEN, JOINERS, show_controls


def test_escape_sequences_marks_of_direction_and_line_ends_are_shown():
    text = "\x1b[2J\x07\x9b1m a\u202eb\u2066c\u200f\ufeff\r\n\t\u2028\ud800"
    assert show_controls(text) == (
        r"\x1b[2J\x07\x9b1m a\u202eb\u2066c\u200f\ufeff\r\n\t\u2028\ud800"
    )


def test_line_ends_and_tabs_stay_where_the_caller_keeps_them():
    assert show_controls("a\n\tb\r", kept="\n\t") == "a\n\tb\\r"


def test_text_of_every_script_and_joined_emoji_stay():
    text = "Zürich, 北京, القاهرة, नई दिल्ली, 👨‍👩‍👧, naïve\u00a0café"
    assert show_controls(text) == text


@given(st.text(st.characters()))
def test_nothing_hidden_is_left_in_any_text(text):
    shown = show_controls(text)
    left = {char for char in shown if unicodedata.category(char) in HIDDEN}
    assert left <= set(JOINERS)
