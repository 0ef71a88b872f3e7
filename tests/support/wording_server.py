"""A chat server that writes the examples it is asked for, by the JSON Schema of the request."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.chat_server import ChatServer, hash_body

Change = Callable[[str, list[dict[str, Any]]], None]  # of a request's prompt and its examples


class WordingServer(ChatServer):
    """Its examples are sound; `change` may spoil them in place."""

    def __init__(self, change: Change = lambda _prompt, _examples: None, **options: Any) -> None:
        super().__init__({}, **options)
        self.change = change
        self.table: dict[str, str] = {}
        self.prompts: list[str] = []

    def completion(self, body: bytes, fault: str = "") -> bytes:
        request = json.loads(body)
        prompt = request["messages"][0]["content"]
        self.prompts.append(prompt)
        schema = request["response_format"]["json_schema"]["schema"]["properties"]["examples"]
        key = hash_body(body)
        examples = [
            write_item(schema["items"]["properties"], f"{key[:6]}x{number}")
            for number in range(schema["maxItems"])
        ]
        self.change(prompt, examples)
        self.table[key] = json.dumps({"examples": examples})
        return super().completion(body, fault)


def write_item(fields: dict[str, Any], word: str) -> dict[str, Any]:
    """A sound example in words that no other example has."""
    item = {"query": f"{word}a {word}b {word}c", "thought": "No tool is needed: it is chat."}
    if "text" in fields:
        return item | {"text": "How nice."}
    tools = [tool["properties"] for tool in fields["calls"]["items"]["anyOf"]]
    tools = (tools * 2)[: fields["calls"]["minItems"]]
    calls = [write_call(tool, f"{word}v{number}") for number, tool in enumerate(tools)]
    said = " and ".join(str(value) for call in calls for value in call["arguments"].values())
    item |= {"query": f"{item['query']} {said}", "thought": "I should do it.", "calls": calls}
    if "first" in fields:
        item |= {"first": f"{word}d {word}e", "question": "Which one?"}
    if "without" in fields:
        second = {"query": f"{word}f {word}g", "thought": "The value is missing."}
        argument = fields["argument"]["enum"][0]
        item |= {"argument": argument, "without": second | {"text": "Which one?"}}
    return item


def write_call(tool: dict[str, Any], word: str) -> dict[str, Any]:
    """A call with all required arguments."""
    parameters = tool["arguments"]
    kinds = {name: parameters["properties"][name]["type"] for name in parameters["required"]}
    arguments = {name: word if kind == "string" else 7 for name, kind in kinds.items()}
    return {"name": tool["name"]["const"], "arguments": arguments}
