"""One conversation with a model whose calls are really made: decisions, results, a reply."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.inference import generate
from agent_tuning.inference.generate import Prompt
from agent_tuning.mcp_tools.shown_tool import show_tool
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import (
    NATIVE,
    Assistant,
    BadInput,
    Call,
    Json,
    PromptSpec,
    Tool,
    ToolResult,
    Turn,
    User,
)
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.engines.answer import Answer
from benchmark.scoring.outcome import parse_answer

if TYPE_CHECKING:
    from agent_tuning.mcp_tools.client import McpConnection

Label = Literal["tokens", "thought", "call", "result", "reply", "note"]


class Line(NamedTuple):
    """What happened, for a person. The text comes from a model or a tool: it is not escaped."""

    label: Label
    text: str


class Toolbox(Protocol):
    """Tools, and what becomes of a call of them."""

    @property
    def tools(self) -> Sequence[Tool]: ...

    def call(self, call: Call) -> Json: ...

    def reset(self, calls: Iterable[Call] = ()) -> None:
        """Begin anew, with these calls made: what others changed is forgotten."""


class SimulatedTools:
    """The tools of a catalogue, with its simulators and its authors' observations behind them."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.tools = [show_tool(catalogue, name) for name in catalogue.entries]
        self._catalogue = catalogue
        self.reset()

    def reset(self, calls: Iterable[Call] = ()) -> None:
        self._world = self._catalogue.world()
        for call in calls:
            self.call(call)

    def call(self, call: Call) -> Json:
        return self._world.make_call(call, self.tools)


class McpTools:
    """The tools of an MCP server, really called. What they changed there outlives a reset."""

    def __init__(self, connection: "McpConnection") -> None:
        self.tools = connection.tools
        self._connection = connection

    def reset(self, calls: Iterable[Call] = ()) -> None:
        pass

    def call(self, call: Call) -> Json:
        return self._connection.observe(call)


class Decision(NamedTuple):
    """The token ids that the model read and those that it wrote, its end of turn left out."""

    prompt: list[int]
    answer: list[int]


class Conversation:
    """The turns so far. A message that ends without a reply is taken back, with all its calls.

    `steps` is the largest number of decisions before a reply. Raises BadInput if the tools leave no
    room for a message.
    """

    def __init__(self, folder: Path, toolbox: Toolbox, max_new_tokens: int, steps: int) -> None:
        self.turns: list[Turn] = []
        self.toolbox = toolbox
        self.chat = ChatTokenizer(folder / "tokenizer.json")
        self.spec = PromptSpec("chat", "en", tuple(toolbox.tools), NATIVE, NATIVE, NATIVE)
        self._prefix = self.chat.prefix(self.spec)
        self._model = generate.load_model(folder)
        self._limit = max_new_tokens
        self._steps = steps
        self._shown = 0
        self._context: int = self._model.config.max_position_embeddings
        if len(self._prefix) + max_new_tokens >= self._context:
            raise BadInput(
                f"{len(self.spec.tools)} tools take {len(self._prefix)} tokens, of {self._context} "
                "in the model's context; choose fewer"
            )

    def reset(self) -> None:
        """Forget everything."""
        self.turns = []
        self.toolbox.reset()
        self._shown = 0

    def say(self, text: str) -> Generator[Line]:
        """What the model does about a message, up to its reply. Closed before, it is taken back."""
        before, shown = list(self.turns), self._shown
        self.turns.append(User(text))
        replied = False
        try:
            for line in self._decide_until_reply():
                replied = line.label == "reply"
                yield line
        finally:
            if not replied:
                self.turns, self._shown = before, shown
                made = (turn.calls for turn in before if isinstance(turn, Assistant))
                self.toolbox.reset(chain.from_iterable(made))

    def _decide_until_reply(self) -> Iterator[Line]:
        for _ in range(self._steps):
            prompt = [*self._prefix, *self.chat.question(self.turns, self.spec)]
            if len(prompt) + self._limit > self._context:
                sizes = f"{len(prompt)} of {self._context} tokens"
                yield Line("note", f"too long: {sizes}; begin with /new")
                return
            decision = self._decide(prompt)
            yield Line("tokens", self._show(decision))
            text = self.chat.text(decision.answer)
            cut = len(decision.answer) == self._limit
            parsed = parse_answer(self.spec, Answer("chat", text, cut=cut))
            turn = parsed.turn
            if turn is None:
                yield Line("note", f"this reply cannot be read ({parsed.reason}): {text}")
                return
            self.turns.append(turn)
            if turn.decision != "call":
                yield Line("reply", turn.text)
                return
            if turn.thought:
                yield Line("thought", turn.thought)
            for call in turn.calls:
                yield Line("call", f"{call.name} {format_json(call.arguments)}")
                content = self.toolbox.call(call)
                self.turns.append(ToolResult(call.name, content))
                yield Line("result", format_json(content))
        yield Line("note", f"no reply after {self._steps} decisions")

    def _decide(self, prompt: list[int]) -> Decision:
        shared = len(self._prefix)
        asked = Prompt(prompt[:shared], [prompt[shared:]])
        ((answer,),) = generate.decode_greedily(self._model, [asked], self.chat.end, self._limit)
        return Decision(prompt, answer)

    def _show(self, decision: Decision) -> str:
        """The tokens that were not shown before, each in its own text: one | between two."""
        new = decision.prompt[self._shown :]
        self._shown = len(decision.prompt)
        decode = self.chat.tokenizer.decode
        read = "|".join(decode([token], skip_special_tokens=False) for token in new)
        written = "|".join(decode([token], skip_special_tokens=False) for token in decision.answer)
        counts = len(decision.prompt), len(decision.answer)
        return f"{counts[0]} tokens read:\n{read}\n{counts[1]} tokens written:\n{written}"
