"""Which chat template writes native prompts, what it says, and how it fails."""

import json
from pathlib import Path

import pytest

from agent_tuning.model import tiny_model
from agent_tuning.records import NATIVE, BadInput, User
from agent_tuning.tokens.chat_template import ChatTokenizer
from agent_tuning.tokens.jinja_chat import OURS, read_template
from agent_tuning.tokens.openai_messages import build_messages, build_tools
from tests.conftest import prompt_in
from tests.support import chat_families
from tests.support.chat_families import CONVERSATIONS, TOOLS

QWEN = chat_families.FAMILIES["qwen"].template.read_text(encoding="utf-8")


def test_a_template_that_knows_tools_is_the_base_s_own_and_another_is_replaced(tmp_path, base):
    chat_families.save_tokenizer("qwen", tmp_path)
    assert read_template(tmp_path).source == QWEN
    assert (base / "chat_template.jinja").read_text() == tiny_model.CHATML
    assert read_template(base).source == OURS.read_text()


@pytest.mark.parametrize(
    "template",
    [
        QWEN,
        [
            {"name": "default", "template": tiny_model.CHATML},
            {"name": "tool_use", "template": QWEN},
        ],
    ],
    ids=["one", "by name"],
)
def test_a_template_may_stand_in_the_config(tmp_path, template):
    chat_families.save_tokenizer("qwen", tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": template}))
    assert read_template(tmp_path).source == QWEN


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{% if %}", "line 1: Expected an expression"),
        ("{{ raise_exception('No\nusers!') }}", r"message 1 \(user\): refused: No users!"),
        ("{{ messages[0].content + none }}", r"message 1 \(user\): refused: can only concatenate"),
    ],
    ids=["no Jinja", "it raises", "it fails"],
)
def test_a_template_that_cannot_be_used_is_one_clear_line(tmp_path, source, problem):
    chat_families.save_tokenizer("chatml", tmp_path)
    (tmp_path / "chat_template.jinja").write_text(source)
    with pytest.raises(BadInput, match=rf"chat_template\.jinja: {problem}"):
        read_template(tmp_path)


def test_a_template_may_mark_the_model_s_text_for_training(tmp_path):
    chat_families.save_tokenizer("qwen", tmp_path)
    source = "{% generation %}{{ tools }}{% endgeneration %}{% break %}"
    path = tmp_path / "chat_template.jinja"
    path.write_text(source.replace("{% break %}", "{% for _ in [1] %}{% break %}{% endfor %}"))
    assert read_template(tmp_path).render([], "x") == "x"


def test_a_tokenizer_with_neither_chatml_nor_a_template_for_tools_is_one_clear_line(tmp_path):
    chat_families.save_tokenizer("gemma", tmp_path)
    with pytest.raises(BadInput, match="no special token of the tokenizer follows a reply"):
        ChatTokenizer(tmp_path / "tokenizer.json")


# Calls in <tool_call> blocks, in a family without ChatML.
CALLS_IN_BLOCKS = """\
{{- '<|begin_of_text|>' }}{% if tools %}{{ tools | tojson }}{% endif %}
{%- for message in messages %}
    {{- '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\\n\\n' ~ message.content }}
    {%- for call in message.tool_calls or [] %}
        {{- '\\n<tool_call>\\n' ~ call.function | tojson ~ '\\n</tool_call>' }}
    {%- endfor %}
    {{- '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}"""


def test_a_tokenizer_without_chatml_asks_native_prompts_alone(tmp_path):
    theirs = chat_families.save_tokenizer("llama", tmp_path)
    (tmp_path / "chat_template.jinja").write_text(CALLS_IN_BLOCKS)
    chat = ChatTokenizer(tmp_path / "tokenizer.json")
    assert chat.end == theirs.convert_tokens_to_ids("<|eot_id|>")
    assert chat.question([User("Hi.")], prompt_in(NATIVE))
    with pytest.raises(BadInput, match="choose a model that uses ChatML, or native prompts alone"):
        chat.prefix(prompt_in("react"))


@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_a_template_whose_calls_could_not_be_read_back_is_refused(tmp_path, family):
    chat_families.save_tokenizer(family, tmp_path)
    with pytest.raises(
        BadInput, match="a markup that answers are not read in; expected <tool_call>"
    ):
        ChatTokenizer(tmp_path / "tokenizer.json").question([User("Hi.")], prompt_in(NATIVE))


def write(folder: Path, messages: object, tools: object) -> str:
    """The text that transformers makes with our template."""
    model = chat_families.build_model("chatml", folder)
    return str(model.theirs.apply_chat_template(messages, tools=tools, tokenize=False))


def test_a_system_text_of_the_user_comes_first_and_a_tool_is_a_line(tmp_path):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi."}]
    prompt = write(tmp_path, messages, build_tools(TOOLS))
    assert prompt.startswith("<|im_start|>system\nBe brief.\n\nFunctions:\n<tools>\n")
    assert list_tools(prompt)[0] == "get_weather(city: string): Weather of a city."
    assert list_tools(prompt)[1].startswith(
        'find.trains(from: "Oslo"|"上海", via?: {"type": "array"'
    )


def list_tools(prompt: str) -> list[str]:
    """The lines between the tags."""
    return prompt[prompt.index("<tools>\n") + 8 : prompt.index("</tools>")].splitlines()


@pytest.mark.parametrize(
    ("schema", "short"),
    [
        ({"type": "string"}, "string"),
        ({"type": "array"}, "array"),
        ({"type": "integer", "description": "Days."}, "integer (Days.)"),
        ({"type": "string", "enum": ["a b", "上海"]}, '"a b"|"上海"'),
        ({"type": "array", "items": {"type": "number"}}, "number[]"),
    ],
)
def test_a_type_that_says_all_of_a_schema_stands_for_it(tmp_path, schema, short):
    assert write_type(tmp_path, schema) == short


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "number", "minimum": 0},
        {"type": "string", "enum": ["a"], "description": "One of them."},
        {"type": "integer", "enum": [1, 2]},
        {"type": "array", "items": {"type": "string"}, "description": "Names."},
        {"type": "array", "items": {"type": "string", "enum": ["a"]}},
        {"type": ["string", "null"], "default": None},
    ],
    ids=str,
)
def test_any_other_schema_is_written_whole(tmp_path, schema):
    assert json.loads(write_type(tmp_path, schema)) == schema


def write_type(folder: Path, schema: dict[str, object]) -> str:
    """What stands for a parameter `x` of this schema."""
    tool = {"name": "f", "parameters": {"type": "object", "properties": {"x": schema}}}
    messages = [{"role": "user", "content": "Hi."}]
    (line,) = list_tools(write(folder, messages, [{"type": "function", "function": tool}]))
    assert line.startswith("f(x?: ")
    assert line.endswith(")")
    return line.removeprefix("f(x?: ").removesuffix(")")


def test_a_tool_may_have_neither_parameters_nor_a_description(tmp_path):
    tool = {"type": "function", "function": {"name": "f"}}
    prompt = write(tmp_path, [{"role": "user", "content": "Hi."}], [tool])
    assert list_tools(prompt) == ["f()"]


def test_without_tools_and_system_text_there_is_no_system_message(tmp_path):
    messages = [{"role": "user", "content": "Hi."}]
    assert write(tmp_path, messages, None) == "<|im_start|>user\nHi.<|im_end|>\n"


def test_our_instructions_are_short(tmp_path):
    """Every prompt pays for them."""
    theirs = chat_families.build_model("smollm2", tmp_path).theirs
    source = OURS.read_text(encoding="utf-8")
    messages = [{"role": "user", "content": "Hi."}]
    prompts = [
        theirs.apply_chat_template(messages, tools=tools, chat_template=source, tokenize=False)
        for tools in (build_tools(TOOLS[:1]), None)
    ]
    tool = prompts[0][prompts[0].index("<tools>\n") + 8 : prompts[0].index("</tools>")]
    whole, plain, own = (len(theirs.encode(text)) for text in (*prompts, tool))
    assert whole - plain - own < 65  # of them five around any system message


def test_what_clients_leave_out_or_send_besides_changes_nothing(tmp_path):
    """No content beside calls, arguments as JSON text, a tool's `strict`."""
    messages, tools = build_messages(CONVERSATIONS["no thought"]), build_tools(TOOLS) or []
    usual = write(tmp_path, messages, tools)
    (call,) = messages[1]["tool_calls"]
    call["function"]["arguments"] = json.dumps(call["function"]["arguments"])
    del messages[1]["content"]
    for tool in tools:
        tool["function"]["strict"] = True
    assert write(tmp_path, messages, tools) == usual
