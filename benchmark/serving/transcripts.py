"""Conversations with a served model through OpenAI's client, printed: `make transcripts`.

    python -m benchmark.serving.transcripts MODEL data/catalogue [DOMAIN ...]

The calls are made in the catalogue's simulators. $URL is a server that runs; without it, one is
started for the model. What a model or a tool writes is escaped.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import openai

from agent_tuning.catalogue.entries import Catalogue, CatalogueConfig
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import BadInput, Call, Json
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.visible_text import show_controls
from agent_tuning.tokens.openai_messages import build_tools
from benchmark.serving.ask_server import find_model
from benchmark.serving.conversation import SimulatedTools, Toolbox
from benchmark.serving.serve import check_folder
from benchmark.serving.server_process import running

STEPS = 8  # requests before a reply


class Script(NamedTuple):
    """What the user says, message by message. `stream`: every request is also shown as a stream."""

    title: str
    queries: tuple[str, ...]
    stream: bool = False


SCRIPTS = (
    Script("a call", ("Which things in my cart cost 20 dollars or more?",)),
    Script("a call, as a stream", ("Where is my order 4471-ZB?",), stream=True),
    Script(
        "two turns, with the results of tools",
        ("Do you have the Zeno S3 in stock?", "Then put it into my cart."),
    ),
    Script("no call", ("Thanks, that was quick!",)),
    Script("a question back", ("Please apply my coupon.",)),
    Script(
        "three steps, each after the result of the last one",
        ("Add the Vela toaster to my cart, use coupon FRIEND18, and ship it to 33 Canal Walk.",),
    ),
)


class Client:
    """A conversation with the first model that a server lists, and with tools."""

    def __init__(self, api: openai.OpenAI, toolbox: Toolbox) -> None:
        self._create = api.chat.completions.create
        self._toolbox = toolbox
        self._messages: list[Json] = []
        self._request: dict[str, Any] = {
            "model": find_model(api),
            "messages": self._messages,
            "tools": build_tools(toolbox.tools),
            "temperature": 0,
        }

    def play(self, script: Script) -> Iterator[str]:
        """The lines of a conversation that begins anew."""
        self._messages.clear()
        self._toolbox.reset()
        for query in script.queries:
            self._messages.append({"role": "user", "content": query})
            yield f"user      > {query}"
            yield from self._answer(stream=script.stream)

    def _answer(self, *, stream: bool) -> Iterator[str]:
        for _ in range(STEPS):
            if stream:
                yield from list_chunks(self._create(**self._request, stream=True))
            choice = self._create(**self._request).choices[0]
            message = choice.message
            self._messages.append(message.model_dump(exclude_none=True))
            if message.content:
                yield f"content   > {message.content}"
            for call in message.tool_calls or ():
                name, arguments = call.function.name, call.function.arguments
                yield f"tool_call > {name} {arguments}"
                result = format_json(self._call(name, arguments))
                self._messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
                yield f"tool      > {result}"
            yield f"          ({choice.finish_reason})"
            if not message.tool_calls:
                return
        yield f"          (no reply after {STEPS} requests)"

    def _call(self, name: str, arguments: str) -> Json:
        try:
            return self._toolbox.call(
                Call(name, msgspec.json.decode(arguments, type=dict[str, Json]))
            )
        except msgspec.DecodeError as error:
            return {"error": f"arguments: {error}"}


def list_chunks(chunks: Iterable[Any]) -> Iterator[str]:
    """A line for each chunk that says something."""
    for chunk in chunks:
        for choice in chunk.choices:
            calls = [part.function for part in choice.delta.tool_calls or () if part.function]
            texts = [f"{call.name or ''} {call.arguments or ''}" for call in calls]
            if text := choice.delta.content or " ".join(texts) or choice.finish_reason:
                yield f"chunk     > {text}"


def main(model: Path, catalogue: Path, *domains: Path) -> None:
    url = os.environ.get("URL", "")
    if not url:
        check_folder(model)
    names = [*map(str, domains)] or config.load("catalogue", CatalogueConfig).domains
    toolbox = SimulatedTools(Catalogue(catalogue, names))
    with nullcontext(url) if url else running(model) as address:
        api = openai.OpenAI(
            base_url=address, api_key=os.environ.get("OPENAI_API_KEY") or "none", max_retries=0
        )
        try:
            client = Client(api, toolbox)
            for script in SCRIPTS:
                print(f"== {script.title}")
                for line in client.play(script):
                    print(show_controls(line), flush=True)
                print()
        except openai.OpenAIError as error:
            raise BadInput(f"{address}: {error}") from error


if __name__ == "__main__":
    cli.run(main)
