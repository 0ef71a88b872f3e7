"""The words of the pages in the reader's language: English, or Chinese from `zh.yaml`."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import get_args
from urllib.parse import urlencode

from flask import g, has_request_context, request

from agent_tuning.files import yaml_records
from agent_tuning.records import Language

LANGUAGES: tuple[Language, ...] = get_args(Language)
COOKIE = "desk_language"
ZH = Path(__file__).with_name("zh.yaml")


@cache
def read_chinese() -> Mapping[str, str]:
    return yaml_records.read(ZH, dict[str, str])


def choose_language() -> None:
    """Of this request: what `?ui=` or the cookie says, or what the browser prefers."""
    asked = request.args.get("ui", request.cookies.get(COOKIE, ""))
    preferred = asked if asked in LANGUAGES else request.accept_languages.best_match(LANGUAGES)
    g.language = preferred or "en"


def current_language() -> Language:
    chosen: Language = g.get("language", "en") if has_request_context() else "en"
    return chosen


def translate(text: str, **values: object) -> str:
    """The text in the reader's language, with `{name}` replaced by its value."""
    words = read_chinese().get(text, text) if current_language() == "zh" else text
    return words.format(**values) if values else words


def page_words() -> dict[str, str]:
    """The words that the scripts of a page say."""
    return {
        "gone": translate(
            "The server does not answer. What you typed stays here: press again when it is back."
        ),
        "changed": translate("You changed something: save it as a correction (f)."),
        "restored": translate("What you had typed and not saved is here again."),
        "halved": translate(
            "The server stopped while it sent this page. It loads again when the server is back."
        ),
        "keys_on": translate("Single keys are on."),
        "keys_off": translate("Single keys are off. Tab, Enter and Ctrl+Enter stay."),
    }


def switch_language() -> str:
    """The address of this page in the other language."""
    other = "en" if current_language() == "zh" else "zh"
    return f"{request.path}?{urlencode({**request.args, 'ui': other})}"
