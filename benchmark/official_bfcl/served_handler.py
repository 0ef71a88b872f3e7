"""bfcl-eval's handler for OpenAI's protocol, with a limit of tokens and a guard.

Imports bfcl_eval: `package.open_package` comes first.
"""

import json
import os
import re
from typing import Any

from bfcl_eval.constants.eval_config import MULTI_TURN_FUNC_DOC_PATH
from bfcl_eval.model_handler.api_inference.openai_completion import OpenAICompletionsHandler
from bfcl_eval.utils import load_file

from benchmark.official_bfcl.package import MODEL

Decoded = list[dict[str, str]]  # one call each: name -> its arguments as JSON text
CALLABLE = {doc["name"] for file in MULTI_TURN_FUNC_DOC_PATH.glob("*.json")
            for doc in load_file(file)}  # fmt: skip


class ServedHandler(OpenAICompletionsHandler):  # type: ignore[misc]
    """Asks the server at $OPENAI_BASE_URL; the key is $OPENAI_API_KEY, and a local one needs none.

    Their scoring builds a handler too, and asks nothing.
    """

    max_tokens = 1
    timeout = 60.0  # seconds

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # Their simulators are kept under a Python name that contains the model's.
        self.model_name_underline_replaced = MODEL

    def _build_client_kwargs(self) -> dict[str, Any]:
        return {
            "base_url": os.environ.get("OPENAI_BASE_URL"),
            "api_key": os.environ.get("OPENAI_API_KEY") or "none",
            "timeout": self.timeout,
        }

    def generate_with_backoff(self, **request: Any) -> Any:
        """A small model may write on for ever, and theirs sets no limit."""
        return super().generate_with_backoff(max_tokens=self.max_tokens, **request)

    def decode_execute(self, result: Any, has_tool_call_tag: bool) -> Any:
        """The calls of one step as Python source, which their simulation passes to `eval`.

        A name that is none of their tools would run as code. It is written so that it cannot, and
        fails as an unknown tool does.
        """
        if isinstance(result, list):
            result = [_disarm(call) for call in result]
        return super().decode_execute(result, has_tool_call_tag)


def _disarm(call: dict[str, str]) -> dict[str, Any]:
    ((name, text),) = call.items()
    arguments = json.loads(text)
    return {
        name if name in CALLABLE else _rename(name): {
            key if key.isidentifier() else _rename(key): value for key, value in arguments.items()
        }
    }


def _rename(name: str) -> str:
    return "unknown_" + re.sub(r"\W", "_", name)
