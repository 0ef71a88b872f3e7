"""The system prompt: a template's wording around a list of tools and the format of a reply."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent_tuning.prompts.formats import REPLY_FORMATS, TOOL_FORMATS
from agent_tuning.records import NATIVE, BadInput, Language, PromptSpec, Tool

FOLDER = Path(__file__).parent / "templates"
GENERAL_TEMPLATE = "general.en"  # of conversation without tools

# A chat model may have written a template: the sandbox lets it write text and call nothing.
_environment = ImmutableSandboxedEnvironment(
    loader=jinja2.FileSystemLoader(FOLDER),
    undefined=jinja2.StrictUndefined,
    autoescape=False,
)


def template_names(language: Language) -> list[str]:
    """Names of the agent templates in one language, such as `plain.en`."""
    names = {path.stem for path in FOLDER.glob(f"*.{language}.jinja")}
    return sorted(names - {GENERAL_TEMPLATE})


def general_prompt(language: Language) -> PromptSpec:
    """The prompt of conversation without tools; its text is English for every language."""
    return PromptSpec(f"general.{language}", language, (), GENERAL_TEMPLATE)


def build(spec: PromptSpec) -> str:
    """The system prompt of a spec, without outer blank lines.

    Raises BadInput where the template or a format does not exist.
    """
    template = _load(spec.template)
    return _fill(template, spec) if spec.tools else template.render().strip()


def build_from_text(text: str, spec: PromptSpec) -> str:
    """The system prompt that `text` would give if it were the spec's template."""
    return _fill(_environment.from_string(text), spec)


def tool_list(tools: Sequence[Tool], tool_format: str) -> str:
    """The tools, as a prompt of this format lists them."""
    if tool_format not in TOOL_FORMATS:
        raise BadInput(f"unknown tool format {tool_format}; available: {', '.join(TOOL_FORMATS)}")
    return TOOL_FORMATS[tool_format](tools)


def reply_instructions(reply_format: str, language: str) -> str:
    """What a prompt says about the way to reply."""
    available = [name for name in REPLY_FORMATS if name != NATIVE]  # a chat template explains that
    if reply_format not in available:
        raise BadInput(f"unknown reply format {reply_format}; available: {', '.join(available)}")
    return fill_template(f"replies/{reply_format}.{language}")


def fill_template(template: str, **slots: object) -> str:
    """Any template with its slots filled, without outer blank lines."""
    return _load(template).render(**slots).strip()


def template_text(template: str) -> str:
    """A template as it was written, without outer blank lines."""
    _load(template)
    return (FOLDER / f"{template}.jinja").read_text(encoding="utf-8").strip()


def _fill(template: jinja2.Template, spec: PromptSpec) -> str:
    return template.render(
        tools=tool_list(spec.tools, spec.tool_format),
        format=reply_instructions(spec.reply_format, spec.language),
    ).strip()


@cache
def _load(name: str) -> jinja2.Template:
    try:
        return _environment.get_template(f"{name}.jinja")
    except jinja2.TemplateNotFound as error:
        known = ", ".join(template_names("en") + template_names("zh"))
        raise BadInput(f"unknown template {name}; available: {known}") from error
