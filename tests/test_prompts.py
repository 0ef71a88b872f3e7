"""The agent prompt: a wording around exactly its menu and its format."""

import pytest

from trajectory import prompts
from trajectory.catalogue import LANGUAGES
from trajectory.formats import REPLY_FORMATS, TOOL_FORMATS
from trajectory.records import BadInput, Tool

TOOLS = tuple(
    Tool(name, f"It does {name}.", {"type": "object", "properties": {"n": {"type": "integer"}}})
    for name in ("weather.get", "add-days")
)
TEMPLATES = [name for language in LANGUAGES for name in prompts.templates(language)]
SHOWN = {"react": "Action Input:", "autogpt": '"command"', "hermes": "<tool_call>"}


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
@pytest.mark.parametrize("tool_format", TOOL_FORMATS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_prompt_shows_its_menu_and_its_format(template, tool_format, reply_format):
    text = prompts.system(template, TOOLS, tool_format, reply_format)
    assert TOOL_FORMATS[tool_format](TOOLS) in text
    assert SHOWN[reply_format] in text
    assert text == text.strip()
    assert "{{" not in text


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_prompt_says_only_its_own_format(template):
    for name in REPLY_FORMATS:
        text = prompts.system(template, TOOLS, "openai", name)
        assert not [other for other in SHOWN if other != name and SHOWN[other] in text]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_prompt_depends_on_its_language(template):
    chinese = any("\u4e00" <= char <= "\u9fff" for char in prompts.system(
        template, TOOLS, "openai", "react"
    ))  # fmt: skip
    assert chinese == template.endswith(".zh")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_several_templates_and_none_is_of_general_talk(language):
    names = prompts.templates(language)
    assert len(names) >= 3
    assert prompts.GENERAL not in names


def test_without_tools_nothing_is_said_about_tools():
    text = prompts.system(prompts.GENERAL, (), "", "")
    assert text
    assert "tool" not in text


def test_an_unknown_template_is_answered_with_what_there_is():
    with pytest.raises(BadInput, match=r"no template plane\.en; there are") as error:
        prompts.system("plane.en", TOOLS, "openai", "react")
    for name in TEMPLATES:
        assert name in str(error.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("plain", "openai", "react"), "no template plain; there are agent.en"),
        (("plain.en", "opnai", "react"), "no tool format opnai; there are openai"),
        (("plain.en", "openai", "raect"), "no reply format raect; there are react"),
    ],
    ids=["a template without its language", "tool format", "reply format"],
)
def test_a_name_that_nothing_has_is_bad_input(names, message):
    template, tool_format, reply_format = names
    with pytest.raises(BadInput, match=message):
        prompts.system(template, TOOLS, tool_format, reply_format)
