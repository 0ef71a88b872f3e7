"""What a server needs of a model's folder: the template of native prompts, and where a turn ends.

It is written into the base model's folder, and a tuned model takes it over: training writes none of
it. Every file says the same end-of-turn token. Many bases name another end, and a model that was
tuned to end its turns would then be asked to go on.
"""

import json
import re
from pathlib import Path

from agent_tuning.records import Json
from agent_tuning.tokens.jinja_chat import TEMPLATE_FILE
from agent_tuning.tokens.native_template import NativeTemplate

TOKENIZER_CONFIG, GENERATION_CONFIG = "tokenizer_config.json", "generation_config.json"
# They belong to sampling; and the third makes transformers write the file anew from config.json.
DROPPED = ("temperature", "top_p", "top_k", "_from_model_config")


def write_serving_files(target: Path) -> None:
    """Complete the folder of a model that has weights and a tokenizer."""
    native = NativeTemplate.read(target / "tokenizer.json")
    (target / TEMPLATE_FILE).write_text(native.source, encoding="utf-8")
    tokenizer: dict[str, Json] = {"eos_token": native.end_text}
    if native.writes_native():  # of another markup, the base's own or the server's is kept
        tokenizer["response_template"] = build_response_template(native)
    _update(target / TOKENIZER_CONFIG, tokenizer, dropped=("chat_template",))
    _update(target / "config.json", {"eos_token_id": native.end})
    generation = {"eos_token_id": native.end, "do_sample": False}
    _update(target / GENERATION_CONFIG, generation, dropped=DROPPED)


def build_response_template(native: NativeTemplate) -> Json:
    """How transformers reads the reply format `native` into a message with `tool_calls`.

    Arguments that are no JSON stay text, as in OpenAI's protocol: they must not fail the request.
    """
    function = {"name": "{name}", "arguments": "{content}"}
    return {
        "version": 1,
        "defaults": {"role": "assistant"},
        "start_anchor": native.opening,
        "fields": {
            "tool_calls": {
                "open_pattern": r'\s*<tool_call>\s*{\s*"name":\s*"(?P<name>[^"]*)",'
                r'\s*"arguments":\s*',
                "close_pattern": r"\s*}\s*</tool_call>",
                "repeats": True,
                "content": "json",
                "content_args": {"allow_non_json": True},
                "transform": {"type": "function", "function": function},
            },
            "content": {"close_pattern": rf"\s*{re.escape(native.end_text)}", "content": "text"},
        },
    }


def _update(path: Path, fields: dict[str, Json], dropped: tuple[str, ...] = ()) -> None:
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept = {key: value for key, value in known.items() if key not in dropped}
    text = json.dumps(kept | fields, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
