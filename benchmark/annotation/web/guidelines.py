"""The guidelines that stand beside every item: `guidelines.md`, in the reader's language."""

import re
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from agent_tuning.records import Language

SOURCE = Path(__file__).parents[1] / "guidelines.md"
TITLES: dict[Language, str] = {"en": "English", "zh": "中文"}


@cache
def render(language: Language) -> Markup:
    """The part of one language as HTML."""
    # The file is ours, and its HTML would still be shown as text.
    return Markup(MarkdownIt("commonmark", {"html": False}).render(read(language)))


def read(language: Language) -> str:
    """The part of one language, without its title."""
    parts = re.split(r"^# (.+)$", SOURCE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[TITLES[language]]
