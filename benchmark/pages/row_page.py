"""A page of rows with filters, a search and a link to each: one file that loads nothing.

The page runs a script of its own, so what a model or a dataset wrote must never become another:
texts travel as JSON that the HTML parser does not read as markup, the script makes text nodes of
them, and the page's content policy allows the script with this hash and nothing else.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import msgspec
from markupsafe import Markup

from agent_tuning.files import atomic_write
from agent_tuning.records import Json, Record
from agent_tuning.runtime.visible_text import show_controls

FILES = Path(__file__).parent


class Text(Record, frozen=True, tag=True):
    label: str
    text: str


class Prompt(Record, frozen=True, tag=True):
    """A long text that rows share: `Page.texts[shared]`, then the row's own `text`. Folded."""

    label: str
    shared: int
    text: str = ""


class Side(Record, frozen=True):
    """One answer: its text, what was `read` from it, and `reason`: why that is wrong."""

    label: str
    mark: str
    text: str
    read: str = ""
    reason: str = ""


class Sides(Record, frozen=True, tag=True):
    """Answers beside each other. Words of `read` that `gold` lacks are marked, and so are those of
    a text that the other text lacks."""

    gold: str
    sides: tuple[Side, ...]


class Tokens(Record, frozen=True, tag=True):
    """Runs of tokens: "trained", "name" (trained, of a tool's name) or "" (read only)."""

    label: str
    runs: tuple[tuple[str, str], ...]


Part = Text | Prompt | Sides | Tokens


class Row(Record, frozen=True):
    """`values`: by facet; a row may have several. `flags`: places in `Page.flags`."""

    id: str
    title: str
    values: dict[str, tuple[str, ...]]
    parts: tuple[Part, ...]
    flags: tuple[int, ...] = ()
    marks: tuple[tuple[str, str], ...] = ()  # who, and right, arguments or wrong


class Page(Record, frozen=True):
    title: str
    intro: str
    noun: str  # what a row is, in the plural
    facets: tuple[str, ...]
    flags: tuple[str, ...]
    texts: tuple[str, ...]
    rows: tuple[Row, ...]


class SharedTexts:
    """Long texts, each stored once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def add(self, text: str) -> int:
        """The place of a text in `all`."""
        return self._places.setdefault(text, len(self._places))

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(self._places)


def write(path: Path, page: Page) -> None:
    atomic_write.write_text(path, render(page))


def render(page: Page) -> str:
    script, style = (_read(f"row_page.{kind}") for kind in ("js", "css"))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(_read("row_page.html.jinja")).render(
        title=show_controls(page.title),
        intro=show_controls(page.intro),
        policy=policy,
        script=Markup(script),
        style=Markup(style),
        data=Markup(encode(page)),
    )


def encode(page: Page) -> str:
    """JSON that holds no `<`, so that no text of it can end its element or begin another."""
    plain = _show_texts(msgspec.to_builtins(page))
    written = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return written.replace("<", "\\u003c")


def _show_texts(value: Json) -> Json:
    """Every text with its control characters and marks of direction shown."""
    if isinstance(value, str):
        return show_controls(value, kept="\n\t")
    if isinstance(value, Mapping):
        return {name: _show_texts(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [_show_texts(item) for item in value]
    return value


def _read(name: str) -> str:
    return (FILES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a content policy names an inline script or style."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
