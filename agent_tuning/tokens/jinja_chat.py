"""Chat templates in Jinja: found in a model's folder, run as transformers runs them."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent_tuning.files import json_file
from agent_tuning.prompts import system_prompt
from agent_tuning.records import BadInput, Json, Tool
from agent_tuning.tokens.openai_messages import Message, build_tools

OURS = system_prompt.FOLDER / "native/chatml.jinja"
TEMPLATE_FILE = "chat_template.jinja"
SPECIAL_TOKENS = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
TODAY = datetime(2025, 1, 1)  # a prompt with the real date would be another one tomorrow
# What a template may do with a message that it does not expect.
ERRORS = (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class JinjaChat:
    """A chat template. `label` says in errors where it comes from."""

    def __init__(self, source: str, special_tokens: dict[str, str], label: str) -> None:
        self.source = source
        self.label = label
        self._special_tokens = special_tokens
        try:
            self._template = _environment.from_string(source)
        except jinja2.TemplateSyntaxError as error:
            raise BadInput(f"{label}: line {error.lineno}: {error.message}") from error

    def render(self, messages: Sequence[Message], tools: Json, *, prompt: bool = False) -> str:
        """The text of a conversation; with `prompt`, up to the beginning of a reply.

        Raises BadInput if the template refuses it, which names the last message.
        """
        try:
            return self._template.render(
                messages=messages,
                tools=tools,
                documents=None,
                add_generation_prompt=prompt,
                **self._special_tokens,
            )
        except ERRORS as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise self.refuse(messages, f"refused: {reason}") from error

    def refuse(self, messages: Sequence[Message], problem: str) -> BadInput:
        """The error for a conversation that cannot be used because of its last message."""
        role = messages[-1]["role"] if messages else "none"
        return BadInput(f"{self.label}: message {len(messages)} ({role}): {problem}")

    def knows_tools(self) -> bool:
        """True if a tool changes the prompt."""
        tool = Tool("get_time", "Time in a city.", {"type": "object", "properties": {}})
        messages = [{"role": "user", "content": "0"}]
        return self.render(messages, None) != self.render(messages, build_tools([tool]))


def read_template(folder: Path) -> JinjaChat:
    """The chat template of the model in a folder, if it knows tools; else ours."""
    config_file = folder / "tokenizer_config.json"
    config = json_file.read(config_file, dict[str, Json]) if config_file.exists() else {}
    special_tokens = _read_special_tokens(config)
    path = folder / TEMPLATE_FILE
    try:
        source = path.read_text("utf-8") if path.exists() else _read_config_template(config)
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: expected UTF-8: {error.reason}") from error
    if source:
        label = str(path if path.exists() else config_file)
        template = JinjaChat(source, special_tokens, label)
        if template.knows_tools():
            return template
    return JinjaChat(OURS.read_text(encoding="utf-8"), special_tokens, OURS.name)


def _read_special_tokens(config: Json) -> dict[str, str]:
    tokens = {f"{name}_token": config.get(f"{name}_token") for name in SPECIAL_TOKENS}
    return {
        name: token["content"] if isinstance(token, dict) else token
        for name, token in tokens.items()
        if token
    }


def _read_config_template(config: Json) -> str:
    """The template in tokenizer_config.json: a text, or several by name, one for use with tools."""
    template = config.get("chat_template") or ""
    if isinstance(template, list):
        by_name = {entry["name"]: entry["template"] for entry in template}
        template = by_name.get("tool_use") or by_name.get("default") or ""
    return str(template)


class _Generation(Extension):
    """`{% generation %}`: transformers finds the model's text by it; here it changes nothing."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _write_json(
    value: Json,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Unlike Jinja's own, it does not escape HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _write_date(form: str) -> str:
    return TODAY.strftime(form)


_environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
)
_environment.filters["tojson"] = _write_json
_environment.globals["raise_exception"] = _raise_exception
_environment.globals["strftime_now"] = _write_date
