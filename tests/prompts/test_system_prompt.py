"""The agent prompt: a wording around exactly its tool list and its format."""

import pytest

from agent_tuning.catalogue.entry_records import LANGUAGES
from agent_tuning.prompts import system_prompt, template_check
from agent_tuning.prompts.formats import REPLY_FORMATS, TOOL_FORMATS
from agent_tuning.records import NATIVE, BadInput, PromptSpec, Tool
from tests.support import default_data

TOOLS = tuple(
    Tool(name, f"It does {name}.", {"type": "object", "properties": {"n": {"type": "integer"}}})
    for name in ("weather.get", "add-days")
)
TEMPLATES = [name for language in LANGUAGES for name in system_prompt.template_names(language)]
# What only one format's explanation says.
SHOWN = {
    "react": "Action Input:",
    "autogpt": '"command"',
    "hermes": "<tool_call>",
    "openai": '"tool_calls"',
    "pythonic": "(argument=",
    "llama": '{"thought":',
    "mistral": "[TOOL_CALLS]",
    "xml": "<call name=",
    "yaml": "calls:\n",
    "markdown": "**Call**",
}


EXPLAINED = {name: form for name, form in REPLY_FORMATS.items() if name != NATIVE}


def spec(template: str, tool_format: str, reply_format: str) -> PromptSpec:
    language = "zh" if template.endswith(".zh") else "en"
    return PromptSpec("p", language, TOOLS, template, tool_format, reply_format)


@pytest.mark.parametrize("reply_format", EXPLAINED)
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_prompt_shows_its_menu_and_its_format_and_no_other(template, reply_format):
    for tool_format, write in TOOL_FORMATS.items():
        text = system_prompt.build(spec(template, tool_format, reply_format))
        assert text.count(write(TOOLS)) == 1
        assert [name for name, mark in SHOWN.items() if mark in text] == [reply_format]
        assert text == text.strip()
        assert "{{" not in text


@pytest.mark.parametrize("reply_format", sorted(EXPLAINED.keys() - {"react"}))
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_example_of_an_explanation_can_be_read(language, reply_format):
    """Not ReAct's: it describes its lines in words."""
    lines = system_prompt.reply_instructions(reply_format, language).split("\n")
    turn = REPLY_FORMATS[reply_format].read("\n".join(lines[1:-1]), TOOLS)
    assert turn.decision == "call"
    assert "do" in turn.thought or "做" in turn.thought


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_has_its_slots_and_contradicts_neither_menu_nor_format(template):
    text = system_prompt.template_text(template)
    assert template_check.find_problem(text, template.rsplit(".", 1)[1]) is None
    assert not [name for name in default_data.CATALOGUE.entries if name in text]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ tools }}", "slots `tools` and `format` once, found {'tools': 1}"),
        ("{{ tools }} {{ format }} {{ tools }}", "each of the slots `tools` and `format` once"),
        ("{{ tools }} {{ format }} {{ memory }}", "each of the slots `tools` and `format` once"),
        ("{{ tools.__class__ }} {{ format }}", "line 1: expected only {{ tools }}"),
        ("{{ tools }}\n{{ format | upper }}", "line 2: expected only {{ tools }}"),
        (
            "{% for t in tools %}{{ t }}{% endfor %} {{ format }}",
            "line 1: expected only {{ tools }}",
        ),
        ("{% include 'x' %} {{ tools }} {{ format }}", "line 1: expected only {{ tools }}"),
        ("{{ tools }} {{ format }} {{ 7 * 7 }}", "line 1: expected only {{ tools }}"),
        ("{{ tools }} {{ format", "line 1: unexpected end"),
        ("工具 {{ tools }} {{ format }}", "not in the language en"),
        ("Call get_weather() at will. {{ tools }} {{ format }}", "'get_weather(' may contradict"),
        ("You have three tools: {{ tools }} {{ format }}", "'three tools' may contradict"),
        ("{{ tools }} Reply in JSON. {{ format }}", "'JSON' may contradict"),
    ],
    ids=lambda value: value[:24],
)
def test_what_is_no_template_is_told_why(text, problem):
    assert problem in (template_check.find_problem(text, "en") or "")


def test_wordings_differ_in_words_order_and_length():
    texts = {name: system_prompt.template_text(name) for name in TEMPLATES}
    assert len(TEMPLATES) >= 20
    for language in LANGUAGES:
        mine = [text for name, text in texts.items() if name.endswith(language)]
        order = [text.index("{{ tools }}") < text.index("{{ format }}") for text in mine]
        assert {True, False} == set(order)
        assert max(map(len, mine)) > 4 * min(map(len, mine))
    assert len(set(texts.values())) == len(texts)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_prompt_depends_on_its_language(template):
    text = system_prompt.build(spec(template, "openai", "react"))
    chinese = any("\u4e00" <= char <= "\u9fff" for char in text)
    assert chinese == template.endswith(".zh")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_several_templates_and_none_is_of_general_talk(language):
    names = system_prompt.template_names(language)
    assert len(names) >= 10
    assert system_prompt.GENERAL_TEMPLATE not in names


def test_without_tools_nothing_is_said_about_tools():
    text = system_prompt.build(system_prompt.general_prompt("en"))
    assert text
    assert "tool" not in text


def test_an_unknown_template_is_answered_with_what_there_is():
    with pytest.raises(BadInput, match=r"unknown template plane\.en; available") as error:
        system_prompt.build(spec("plane.en", "openai", "react"))
    for name in TEMPLATES:
        assert name in str(error.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("plain", "openai", "react"), "unknown template plain; available: agent.en"),
        (("plain.en", "opnai", "react"), "unknown tool format opnai; available: openai"),
        (("plain.en", "openai", "raect"), "unknown reply format raect; available: react"),
        (("plain.en", "openai", "native"), "unknown reply format native; available: react"),
    ],
    ids=["a template without its language", "tool format", "reply format", "a chat template's own"],
)
def test_a_name_that_nothing_has_is_bad_input(names, message):
    template, tool_format, reply_format = names
    with pytest.raises(BadInput, match=message):
        system_prompt.build(spec(template, tool_format, reply_format))
