"""The agent prompt of a group: a template's wording around its menu and its reply format."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent_tuning.prompts.formats import REPLY_FORMATS, TOOL_FORMATS
from agent_tuning.records import BadInput, Language, Tool

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
    language = template.rsplit(".", 1)[1]
    return _filled(wording, language, tools, tool_format, reply_format)


def worded(
    text: str, language: str, tools: Sequence[Tool], tool_format: str, reply_format: str
) -> str:
    """The system prompt that a text would make if it were a template."""
    wording = _environment.from_string(text)
    return _filled(wording, language, tools, tool_format, reply_format)


def menu(tools: Sequence[Tool], tool_format: str) -> str:
    if tool_format not in TOOL_FORMATS:
        raise BadInput(f"no tool format {tool_format}; there are {', '.join(TOOL_FORMATS)}")
    return TOOL_FORMATS[tool_format](tools)


def explanation(reply_format: str, language: str) -> str:
    """What a prompt says about the way to reply."""
    if reply_format not in REPLY_FORMATS:
        raise BadInput(f"no reply format {reply_format}; there are {', '.join(REPLY_FORMATS)}")
    return rendered(f"replies/{reply_format}.{language}")


def rendered(template: str, **slots: object) -> str:
    """Any template with its slots filled, without outer blank lines."""
    return _load(template).render(**slots).strip()


def source(template: str) -> str:
    """A template as it was written, without outer blank lines."""
    _load(template)
    return (FOLDER / f"{template}.jinja").read_text(encoding="utf-8").strip()


def _filled(
    wording: jinja2.Template,
    language: str,
    tools: Sequence[Tool],
    tool_format: str,
    reply_format: str,
) -> str:
    return wording.render(
        tools=menu(tools, tool_format), format=explanation(reply_format, language)
    ).strip()


@cache
def _load(name: str) -> jinja2.Template:
    try:
        return _environment.get_template(f"{name}.jinja")
    except jinja2.TemplateNotFound as error:
        known = ", ".join(templates("en") + templates("zh"))
        raise BadInput(f"no template {name}; there are {known}") from error
