"""A model behind any OpenAI-compatible server, asked as a client asks it: `messages` and `tools`.

The server's own template writes the prompt and its own parser reads the calls, so models of any
markup can be asked the same tasks. The key is $OPENAI_API_KEY.

What comes back is written down in the reply format of the task's prompt, so that it is scored as
every answer is. Text without a call is `ask` if its last sentence is a question, else `no_call`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2
import msgspec

from agent_tuning.chat_model.client import Client, RetriesExhausted
from agent_tuning.prompts.formats import REPLY_FORMATS, native
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.formats.tool_call_blocks import CLOSE, OPEN
from agent_tuning.records import BadInput, Json, PromptSpec, Turn
from agent_tuning.tokens.openai_messages import Message, build_messages, build_tools
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig
from benchmark.engines.openai_engine import OpenAIEngine
from benchmark.tasks import suites as suite_files
from benchmark.tasks.suites import Task


class Function(msgspec.Struct):
    name: str
    arguments: str = ""  # JSON, as far as the model wrote JSON


class ToolCall(msgspec.Struct):
    function: Function


class ServedMessage(msgspec.Struct):
    content: str | None = None
    tool_calls: list[ToolCall] | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: ServedMessage
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]

    def __post_init__(self) -> None:
        if not self.choices:
            raise ValueError("no choices")


class ServedEngine(OpenAIEngine):
    def __init__(
        self, folder: Path, row: str, settings: PredictConfig, suites: Path | None = None
    ) -> None:
        super().__init__(folder, row, settings)
        if suites is None:
            raise BadInput(
                "predict.engine: served needs --suites, the folder of the suites that are asked, "
                "such as data/specialist/asked"
            )
        self.tasks = read_tasks(suites)

    async def _ask(self, client: Client, task: str, ids: list[int]) -> Answer:
        known, spec = self._find_task(task, ids)
        body = msgspec.json.encode(self.build_body(known.turns, spec))

        async def send() -> _Choice:
            response = await client.api.post(
                "/chat/completions",
                content=body,
                options={"headers": {"Content-Type": "application/json"}},
                cast_to=httpx2.Response,
            )
            return client.decode(response.content, _Completion).choices[0]

        try:
            choice = await client.call(task, send)
        except RetriesExhausted as error:
            return Answer(task, "", error=str(error))
        text = write_answer(choice.message, spec)
        return Answer(task, text, cut=choice.finish_reason == "length")

    def build_body(self, turns: Sequence[Turn], spec: PromptSpec) -> dict[str, Json]:
        """The request for the decision after these turns."""
        body: dict[str, Json] = {"model": self.model.name, "messages": write_messages(turns)}
        if spec.tools:
            body["tools"] = build_tools(spec.tools)
        return body | dict(sorted(self.model.sampling.items()))

    def _find_task(self, name: str, ids: list[int]) -> tuple[Task, PromptSpec]:
        """The task of a request. Raises BadInput if the request holds anything else."""
        if name not in self.tasks:
            raise BadInput(f"{name}: not in the suites that are asked; run `dvc repro`")
        task, spec = self.tasks[name]
        if [*self.chat.prefix(spec), *self.chat.question(task.turns, spec)] != ids:
            raise BadInput(
                f"{name}: the request holds more than the task, such as worked examples; "
                "the engine served sends the task alone"
            )
        return task, spec


def read_tasks(folder: Path) -> dict[str, tuple[Task, PromptSpec]]:
    """Every task of the suites in a folder, with its prompt, by id."""
    loaded = [suite_files.read(path.parent) for path in sorted(folder.glob("*/tasks.jsonl"))]
    if not loaded:
        raise BadInput(f"{folder}: no suites: expected folders with a tasks.jsonl")
    return {task.id: (task, suite.prompt(task)) for suite in loaded for task in suite.tasks}


def write_messages(turns: Sequence[Turn]) -> list[Message]:
    """Turns as a client sends them: the arguments of earlier calls are text."""
    return [_write_message(message) for message in build_messages(turns)]


def _write_message(message: Message) -> Message:
    if message["role"] == "tool":  # its name is that of the call, and no field of the protocol
        return {key: value for key, value in message.items() if key != "name"}
    calls = [
        call | {"function": {**call["function"], "arguments": _write_arguments(call)}}
        for call in message.get("tool_calls", ())
    ]
    return message | {"tool_calls": calls} if calls else message


def _write_arguments(call: Mapping[str, Json]) -> str:
    return format_json(call["function"]["arguments"])


def write_answer(message: ServedMessage, spec: PromptSpec) -> str:
    """What a server answered, in the reply format of the prompt.

    Arguments that are no JSON object stay as they are, so that the answer is malformed.
    """
    text = write_native(message)
    if spec.native:
        return text
    try:
        return REPLY_FORMATS[spec.reply_format].write(native.read(text))
    except ValueError:  # malformed, or a turn that this format cannot say
        return text


def write_native(message: ServedMessage) -> str:
    """The text that a model of native replies writes for this message."""
    lines = [(message.content or message.refusal or "").strip()]
    for call in message.tool_calls or ():
        name, arguments = format_json(call.function.name), call.function.arguments.strip() or "{}"
        lines.append(f'{OPEN}\n{{"name": {name}, "arguments": {arguments}}}\n{CLOSE}')
    return "\n".join(line for line in lines if line)
