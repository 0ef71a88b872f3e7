"""The parity law: what we train and ask is what transformers makes of messages and tools."""

import datetime
import json
from collections.abc import Callable
from functools import cache

import pytest
from transformers.utils import chat_template_utils

from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import NATIVE, Assistant, BadInput, Call, ToolResult, Turn, User
from agent_tuning.tokens.native_template import NativeTemplate
from tests.support import chat_families
from tests.support.chat_families import ANSWER, CONVERSATIONS, NAMES, OSLO, PROMPT, Model

NO_CALLS = r"message 2 \(assistant\): its calls are not all written"
# What a template refuses. Gemma's shape knows no tools; Mistral's puts them before the last query.
REFUSED = {
    ("llama", "several calls"): r"message 2 \(assistant\): refused: This model makes one call",
    ("mistral", "asked back"): r"message 2 \(assistant\): written another way when more follows",
    ("gemma", "call"): NO_CALLS,
    ("gemma", "no thought"): NO_CALLS,
    ("gemma", "several calls"): NO_CALLS,
    ("gemma", "results"): NO_CALLS,
    ("gemma", "chain"): NO_CALLS,
    ("gemma", "asked back"): r"message 4 \(assistant\): its calls are not all written",
    ("gemma", "cjk"): NO_CALLS,
    ("gemma", "quotes"): NO_CALLS,
}
PAIRS = [(name, conversation) for name in NAMES for conversation in CONVERSATIONS]
EVERY = pytest.mark.parametrize("name", NAMES)
BRIEF = 'You are the assistant of "Harbour Books". Be brief.\n\n- 请用英语 <b>回答</b>.  {{ x }}'
# What Mistral's and Gemma's shape say to a system message.
NO_SYSTEM = {
    "mistral": r"message 2 \(user\): refused: Only users, assistants and tools speak!",
    "gemma": r"message 2 \(user\): refused: System role not supported",
}
TAKES_INSTRUCTIONS = pytest.mark.parametrize("name", [n for n in NAMES if n not in NO_SYSTEM])
EVERY_ACCEPTED = pytest.mark.parametrize(
    ("name", "conversation", "instructions"),
    [
        (name, conversation, instructions)
        for name, conversation in PAIRS
        if (name, conversation) not in REFUSED
        for instructions in ("", BRIEF)
        if not (instructions and name in NO_SYSTEM)
    ],
)


@pytest.fixture(scope="module")
def load(tmp_path_factory) -> Callable[[str], Model]:
    return cache(lambda name: chat_families.build_model(name, tmp_path_factory.mktemp(name)))


@pytest.fixture(autouse=True)
def same_day(monkeypatch) -> None:
    """transformers writes today's date where a template wants one; ours is always the same day."""

    class Day(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2025, 1, 1, tzinfo=tz)

    monkeypatch.setattr(chat_template_utils, "datetime", Day)


@EVERY_ACCEPTED
def test_prefix_and_branch_are_the_ids_of_transformers(load, name, conversation, instructions):
    model, turns = load(name).with_prompt(instructions=instructions), CONVERSATIONS[conversation]
    assert model.encode(turns) == model.apply(turns)


@EVERY_ACCEPTED
def test_prefix_and_question_are_the_ids_of_transformers(load, name, conversation, instructions):
    model, turns = load(name).with_prompt(instructions=instructions), CONVERSATIONS[conversation]
    for count, turn in enumerate(turns):
        if isinstance(turn, Assistant):
            question = model.template.question(turns[:count], model.prompt)
            ids = [*model.template.prefix(model.prompt), *question]
            assert ids == model.apply(turns[:count], add_generation_prompt=True)


@pytest.mark.parametrize(("name", "conversation"), REFUSED)
def test_what_a_template_cannot_write_is_refused_in_one_line(load, name, conversation):
    model = load(name)
    with pytest.raises(BadInput, match=REFUSED[name, conversation]) as error:
        model.template.branch(CONVERSATIONS[conversation], model.prompt)
    assert "\n" not in str(error.value)


@EVERY_ACCEPTED
def test_exactly_the_text_of_the_model_and_its_end_token_are_trained(
    load, name, conversation, instructions
):
    model, turns = load(name).with_prompt(instructions=instructions), CONVERSATIONS[conversation]
    ids, trained, _ = model.template.branch(turns, model.prompt)
    position = 0
    for count, turn in enumerate(turns):
        if not isinstance(turn, Assistant):
            continue
        question = model.template.question(turns[:count], model.prompt)
        assert ids[: len(question)] == question
        assert not any(trained[position : len(question)])
        position = next((n for n in range(len(question), len(ids)) if not trained[n]), len(ids))
        reply = ids[len(question) : position]
        assert reply[-1] == model.template.end
        text = model.theirs.decode(reply[:-1])
        if model.template.writes_native():
            assert text == REPLY_FORMATS[NATIVE].write(turn)
        for word in (turn.text.split() or [""])[0], *(call.name for call in turn.calls):
            assert word in text
    assert not any(trained[position:])


@EVERY
def test_a_prompt_without_tools_is_shared_too(load, name):
    model = load(name).with_prompt(tools=())
    assert model.encode(CONVERSATIONS["answer"]) == model.apply(CONVERSATIONS["answer"])
    assert model.template.prefix(model.prompt)


@pytest.mark.parametrize("name", NO_SYSTEM)
def test_instructions_that_a_template_cannot_write_are_refused_in_one_line(load, name):
    model = load(name).with_prompt(instructions=BRIEF)
    with pytest.raises(BadInput, match=NO_SYSTEM[name]) as error:
        model.template.prefix(model.prompt)
    assert "\n" not in str(error.value)


def test_instructions_count_as_a_message_in_errors(load):
    model = load("llama").with_prompt(instructions=BRIEF)
    with pytest.raises(BadInput, match=r"message 3 \(assistant\): refused: This model makes one"):
        model.template.branch(CONVERSATIONS["several calls"], model.prompt)


@TAKES_INSTRUCTIONS
def test_instructions_change_the_prompt_and_no_reply(load, name):
    """Also right after a prompt of the same tools, whose tokens are kept."""
    model, turns = load(name), CONVERSATIONS["results"]
    plain, others = model.with_prompt(instructions=""), model.with_prompt(instructions="Be kind.")
    told = model.with_prompt(instructions=BRIEF)
    emitted = []
    for one in (plain, told, others, plain):
        ids, trained, _ = one.template.branch(turns, one.prompt)
        emitted.append([token for token, train in zip(ids, trained, strict=True) if train])
        whole = one.theirs.decode(one.encode(turns))
        assert (BRIEF in whole, "Be kind." in whole) == (one is told, one is others)
    assert emitted.count(emitted[0]) == len(emitted)


@TAKES_INSTRUCTIONS
def test_a_control_token_in_instructions_stays_text(load, name):
    model, turns = load(name).with_prompt(instructions="Be kind."), CONVERSATIONS["results"]
    control = [model.template.end_text, *model.theirs.all_special_tokens]
    text = f"Be {' and '.join(control)} kind."
    marked = model.with_prompt(instructions=text)
    ids, plain_ids = marked.encode(turns), model.encode(turns)
    for token in control:
        token_id = model.theirs.convert_tokens_to_ids(token)
        assert ids.count(token_id) == plain_ids.count(token_id)
    assert text in model.theirs.decode(ids)
    assert ids == marked.apply(turns, sanitize_control_tokens=True)
    assert ids != marked.apply(turns)


@pytest.mark.parametrize("name", ["chatml", "qwen", "mistral", "smollm2"])
def test_the_prompt_of_tools_is_shared_up_to_the_query(load, name):
    model = load(name)  # not Llama's shape: its tools stand in the user's message
    prefix = model.theirs.decode(model.template.prefix(model.prompt))
    assert all(tool.name in prefix for tool in model.tools)
    branch = model.theirs.decode(model.template.branch(CONVERSATIONS["call"], model.prompt).ids)
    assert "get_weather" in branch
    assert "find.trains" not in branch


@pytest.mark.parametrize("name", [name for name in NAMES if name != "gemma"])
def test_names_thoughts_and_arguments_are_found_wherever_the_template_writes_them(load, name):
    model = load(name)
    ids, _, parts = model.template.branch(CONVERSATIONS["results"], model.prompt)

    def text(part: str) -> str:
        return model.theirs.decode([i for i, own in zip(ids, parts, strict=True) if own == part])

    assert text("name") == "get_weather"
    assert text("thought") == ("Look up Oslo." if model.template.writes_native() else "")
    assert "Oslo" in text("arguments")


@EVERY
def test_a_control_token_in_a_text_stays_text(load, name):
    model = load(name)
    control = [model.template.end_text, *model.theirs.all_special_tokens]
    plain = CONVERSATIONS["results" if model.tools else "answer"]
    marked: list[Turn] = [User(" and ".join(control)), *plain[1:]]
    if model.tools:
        call = Call("get_weather", {"city": control[0], control[0]: "x"})
        marked[1:3] = [Assistant("call", "Look.", (call,)), ToolResult("get_weather", control)]
    ids, plain_ids = model.encode(marked), model.encode(plain)
    for token in control:
        token_id = model.theirs.convert_tokens_to_ids(token)
        assert ids.count(token_id) == plain_ids.count(token_id)
    assert " and ".join(control) in model.theirs.decode(ids)


@EVERY
def test_what_transformers_escapes_is_escaped_the_same_way(load, name):
    model = load(name)
    turns = [User(f"a {model.template.end_text}\nb"), Assistant("no_call", text="c")]
    assert model.encode(turns) == model.apply(turns, sanitize_control_tokens=True)
    assert model.encode(turns) != model.apply(turns)


def test_added_tokens_that_the_template_writes_are_no_text_of_a_user(load):
    model = load("qwen")
    ids = model.template.branch([User("Is <tool_call> a tag?"), OSLO], PROMPT).ids
    assert ids.count(model.theirs.convert_tokens_to_ids("<tool_call>")) == 1
    assert "Is <tool_call> a tag?" in model.theirs.decode(ids)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "mistral"])
def test_a_turn_that_is_context_only_is_not_trained(load, name):
    model = load(name)
    turns = [User("Hi."), Assistant("no_call", text="Ho.", trained=False), User("So?"), ANSWER]
    ids, trained, _ = model.template.branch(turns, model.prompt)
    emitted = [token for token, train in zip(ids, trained, strict=True) if train]
    assert model.theirs.decode(emitted) == ANSWER.text + model.template.end_text


def test_a_reply_that_a_tokenizer_joins_with_the_prompt_is_refused(tmp_path):
    chat_families.save_tokenizer("llama", tmp_path, gpt2=True)
    template = NativeTemplate.read(tmp_path / "tokenizer.json")
    with pytest.raises(BadInput, match=r"message 2 \(assistant\): changes the tokens of the text"):
        template.branch(CONVERSATIONS["answer"], PROMPT)


@EVERY
def test_only_the_markup_of_the_reply_format_is_called_native(load, name):
    assert load(name).template.writes_native() == (name in ("chatml", "qwen", "smollm2"))


def test_a_token_that_takes_the_blanks_before_it_is_refused(tmp_path):
    """The prompt would end in another token than the one that a server asks with."""
    chat_families.save_tokenizer("chatml", tmp_path)
    path = tmp_path / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    for token in tokenizer["added_tokens"]:
        token["lstrip"] = token["content"] == "<|im_start|>"
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(BadInput, match="a user's message changes the tokens before it"):
        NativeTemplate.read(path).prefix(PROMPT)
