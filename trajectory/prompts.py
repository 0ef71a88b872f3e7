"""The agent prompt of a group: a template's wording around its menu and its reply format."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from trajectory.formats import REPLY_FORMATS, TOOL_FORMATS
from trajectory.records import BadInput, Language, Tool

FOLDER = Path(__file__).parent / "templates"
GENERAL = "general.en"  # the prompt of conversation without tools

# A teacher may have written a template: it can say words, and do nothing.
_environment = ImmutableSandboxedEnvironment(
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
    wording = _load(template)
    if not tools:
        return wording.render().strip()
    for kind, name, known in (
        ("tool format", tool_format, TOOL_FORMATS),
        ("reply format", reply_format, REPLY_FORMATS),
    ):
        if name not in known:
            raise BadInput(f"no {kind} {name}; there are {', '.join(known)}")
    language = template.rsplit(".", 1)[1]
    form = _load(f"replies/{reply_format}.{language}").render().strip()
    return wording.render(tools=TOOL_FORMATS[tool_format](tools), format=form).strip()


def rendered(template: str, **slots: object) -> str:
    """Any template with its slots filled, without outer blank lines."""
    return _load(template).render(**slots).strip()


@cache
def _load(name: str) -> jinja2.Template:
    try:
        return _environment.get_template(f"{name}.jinja")
    except jinja2.TemplateNotFound as error:
        known = ", ".join(templates("en") + templates("zh"))
        raise BadInput(f"no template {name}; there are {known}") from error
