"""The agent prompt of a group: a template's wording around its menu and its reply format."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2

from trajectory.formats import TOOL_FORMATS
from trajectory.records import BadInput, Language, Tool

FOLDER = Path(__file__).parent / "templates"
GENERAL = "general.en"  # the prompt of conversation without tools

_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER),
    undefined=jinja2.StrictUndefined,
    autoescape=False,
)


def templates(language: Language) -> list[str]:
    """Names of the agent templates in one language, such as `plain.en`."""
    names = {path.stem for path in FOLDER.glob(f"*.{language}.jinja")}
    return sorted(names - {GENERAL})


def system(template: str, tools: Sequence[Tool], tool_format: str, reply_format: str) -> str:
    """The system prompt, without outer blank lines."""
    if not tools:
        return _load(template).render().strip()
    language = template.rsplit(".", 1)[1]
    return (
        _load(template)
        .render(
            tools=TOOL_FORMATS[tool_format](tools),
            format=_load(f"replies/{reply_format}.{language}").render().strip(),
        )
        .strip()
    )


@cache
def _load(name: str) -> jinja2.Template:
    try:
        return _environment.get_template(f"{name}.jinja")
    except jinja2.TemplateNotFound as error:
        known = ", ".join(templates("en") + templates("zh"))
        raise BadInput(f"no template {name}; there are {known}") from error
