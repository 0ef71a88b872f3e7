"""A tuned folder can be served: template, end of turn, and a parser that reads what is trained."""

import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer, GenerationConfig

from agent_tuning.model import serving_files
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import NATIVE, Assistant, Call
from agent_tuning.tokens.jinja_chat import OURS, read_template
from agent_tuning.tokens.native_template import NativeTemplate
from agent_tuning.training import export
from tests.support import chat_families
from tests.support.chat_families import AWKWARD, CONVERSATIONS, PROMPT


def serve(folder: Path, name: str) -> tuple[Path, Path]:
    """A base of this family that stops where Qwen2.5's do, and what is tuned from it."""
    base, tuned = folder / "base", folder / "tuned"
    base.mkdir()
    chat_families.save_tokenizer(name, base)
    sampling = {"do_sample": True, "temperature": 0.7, "eos_token_id": 0, "max_new_tokens": 2048}
    (base / "generation_config.json").write_text(json.dumps(sampling))
    (base / "config.json").write_text('{"model_type": "qwen2", "eos_token_id": 0}')
    shutil.copytree(base, tuned)
    serving_files.write_serving_files(tuned)
    return base, tuned


@pytest.mark.parametrize("name", ["chatml", "qwen", "llama", "mistral"])
def test_every_file_names_the_token_that_ends_a_turn(tmp_path, name):
    base, tuned = serve(tmp_path, name)
    end = NativeTemplate.read(base / "tokenizer.json").end
    tokenizer = AutoTokenizer.from_pretrained(tuned)
    generation = GenerationConfig.from_pretrained(tuned)
    assert tokenizer.eos_token_id == end
    assert generation.eos_token_id == end
    assert json.loads((tuned / "config.json").read_text())["eos_token_id"] == end
    assert (generation.do_sample, generation.max_new_tokens) == (False, 2048)
    generation.validate(strict=True)


def test_the_template_is_the_one_that_was_trained(tmp_path):
    _, tuned = serve(tmp_path, "qwen")
    assert read_template(tuned).source == chat_families.FAMILIES["qwen"].template.read_text()


def test_a_base_whose_template_knows_no_tools_is_served_with_ours(base, tmp_path):
    tuned = tmp_path / "tuned"
    shutil.copytree(base, tuned)
    serving_files.write_serving_files(tuned)
    # Versions of transformers differ in whether they keep the last newline.
    written = AutoTokenizer.from_pretrained(tuned).chat_template
    assert written.rstrip("\n") == OURS.read_text().rstrip("\n")
    assert NativeTemplate.read(tuned / "tokenizer.json").prefix(PROMPT) == NativeTemplate.read(
        base / "tokenizer.json"
    ).prefix(PROMPT)


REPLIES = [
    turn for turns in CONVERSATIONS.values() for turn in turns if isinstance(turn, Assistant)
]
REPLIES.append(Assistant("call", "Twice.", (Call("find.trains", AWKWARD), Call("get_weather"))))


@pytest.mark.parametrize("name", ["chatml", "qwen"])
def test_transformers_reads_a_reply_as_we_do(tmp_path, name):
    _, tuned = serve(tmp_path, name)
    tokenizer = AutoTokenizer.from_pretrained(tuned)
    native = NativeTemplate.read(tuned / "tokenizer.json")
    prompt = tokenizer.decode(native.prefix(PROMPT)) + native.opening
    for turn in REPLIES:
        text = REPLY_FORMATS[NATIVE].write(turn) + native.end_text
        message = tokenizer.parse_response(text, prefix=prompt)
        calls = [call["function"] for call in message.get("tool_calls", [])]
        assert [Call(call["name"], call["arguments"]) for call in calls] == list(turn.calls)
        assert message.get("content", "") == (turn.thought if turn.calls else turn.text)


def test_arguments_that_are_no_json_do_not_fail_the_request(tmp_path):
    _, tuned = serve(tmp_path, "chatml")
    tokenizer = AutoTokenizer.from_pretrained(tuned)
    text = '<tool_call>\n{"name": "f", "arguments": {"a": }}\n</tool_call><|im_end|>'
    message = tokenizer.parse_response(text, prefix="<|im_start|>assistant\n")
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": }'}


def test_a_markup_of_its_own_gets_no_parser_of_ours(tmp_path):
    _, tuned = serve(tmp_path, "llama")
    assert "response_template" not in json.loads((tuned / "tokenizer_config.json").read_text())


def test_the_card_says_how_to_serve_and_call_the_model_and_its_code_is_python():
    assert "transformers serve FOLDER" in export.SERVING
    assert "--tool-call-parser hermes" in export.SERVING
    code = export.SERVING[export.SERVING.index("```python\n") + 10 : export.SERVING.rindex("```")]
    compile(code, "card", "exec")
    assert len(code.splitlines()) <= 8
