"""Small tokenizers with chat templates in the shape of well-known families of models.

The templates are written here, in chat_templates/: they have the roles, special tokens, refusals
and oddities of their family, not its words.
"""

import json
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from agent_tuning.records import Assistant, Call, PromptSpec, Tool, ToolResult, Turn, User
from agent_tuning.tokens.jinja_chat import OURS, JinjaChat
from agent_tuning.tokens.native_template import NativeTemplate
from agent_tuning.tokens.openai_messages import build_messages, build_tools
from tests.conftest import WEATHER

TEMPLATES = Path(__file__).parent / "chat_templates"
SMOLLM2 = Path("data/base")
CORPUS = [
    'What is the weather in Oslo? {"name": "get_weather", "arguments": {"city": "Oslo"}}\n\n',
    "The time in Rome is 12:00.\n\nWhich day do you mean?\nTomorrow.  Look up the weather.",
    "你好，上海的天气怎么样？明天是晴天。",
    '<tool_call>\n{"name": "get_time"}\n</tool_call>\n<tool_response>\n"ok"\n</tool_response>',
]
# As in newer families: newlines are words of their own, whatever follows. GPT-2's pattern, which
# is ByteLevel's own, takes the last newline before a word apart.
WORDS = Regex(r" ?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


class Family(NamedTuple):
    """`special` tokens, of which the first two begin and end a text; `added` are not special."""

    template: Path
    special: tuple[str, ...]
    added: tuple[str, ...] = ()


FAMILIES = {
    "chatml": Family(OURS, ("<|im_start|>", "<|im_end|>", "<|endoftext|>")),
    "qwen": Family(
        TEMPLATES / "qwen.jinja",
        ("<|endoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        ("<tool_call>", "</tool_call>"),
    ),
    "llama": Family(
        TEMPLATES / "llama.jinja",
        ("<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"),
    ),
    "mistral": Family(
        TEMPLATES / "mistral.jinja",
        (
            *("<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
            *("[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
        ),
    ),
    "gemma": Family(
        TEMPLATES / "gemma.jinja", ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>")
    ),
}
NAMES = [*FAMILIES, "smollm2"]

TOOLS = (
    WEATHER,
    Tool(
        "find.trains",
        'Trains "fast" & slow <b>\n换乘 👍',
        {
            "type": "object",
            "properties": {
                "from": {"type": "string", "enum": ["Oslo", "上海"]},
                "via": {"type": "array", "items": {"type": "object", "properties": {}}},
                "day": {"type": ["string", "null"], "default": None},
            },
            "required": ["from"],
        },
    ),
)
PROMPT = PromptSpec("p", "en", TOOLS).make_native()
OSLO = Assistant("call", "Look up Oslo.", (Call("get_weather", {"city": "Oslo"}),))
SKY = ToolResult("get_weather", {"sky": "clear", "wind": [1, 2.5, None]})
ANSWER = Assistant("no_call", "Tell the user.", text="It is clear in Oslo.")
TWO_CALLS = (Call("get_weather", {"city": "上海"}), Call("find.trains", {}))
BOTH = Assistant("call", "Look up both.", TWO_CALLS)
WHERE = Assistant("ask", text="Where?")
AWKWARD = {"from": "a \"b\" \\ \n'c' <&>", "via": [{"深": {"é": [True, None, -1.5]}}], "day": ""}
CONVERSATIONS: dict[str, list[Turn]] = {
    "answer": [User("Hi."), Assistant("no_call", text="Hello!\n\n- one\n- two")],
    "call": [User("Weather in Oslo?"), OSLO],
    "no thought": [User("Oslo?"), Assistant("call", "", OSLO.calls), SKY, ANSWER],
    "several calls": [User("Both?"), BOTH, SKY, ToolResult("find.trains", "none"), ANSWER],
    "results": [User("Oslo?"), OSLO, SKY, ANSWER],
    "chain": [User("Oslo?"), OSLO, SKY, OSLO, SKY, ANSWER],
    "asked back": [User("Rain?"), WHERE, User("Oslo"), OSLO, SKY, ANSWER],
    "cjk": [
        User("上海天气？"),
        Assistant("call", "查上海。", (Call("get_weather", {"城": "上海"}),)),
    ],
    "quotes": [
        User('Say "hi"\n\n\tand <b>\\n</b> {{ x }} {% if %}  '),
        Assistant("call", 'Say "hi".', (Call("find.trains", AWKWARD),)),
        ToolResult("find.trains", ['"', "\n", {"a b": "<&>"}]),
        Assistant("no_call", text='He said "hi" & left.\n  Twice.'),
    ],
}


class Model(NamedTuple):
    """A template as we run it, and as transformers does."""

    name: str
    template: NativeTemplate
    theirs: PreTrainedTokenizerBase
    prompt: PromptSpec

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self.prompt.tools

    def with_prompt(self, **changes: object) -> "Model":
        """The model under a prompt with other tools or instructions."""
        return self._replace(prompt=msgspec.structs.replace(self.prompt, **changes))

    def encode(self, turns: list[Turn]) -> list[int]:
        """Our ids of a whole conversation."""
        branch = self.template.branch(turns, self.prompt)
        return [*self.template.prefix(self.prompt), *branch.ids]

    def apply(self, turns: list[Turn], **options: object) -> list[int]:
        """The ids of transformers, from messages as a client sends them."""
        ids: list[int] = self.theirs.apply_chat_template(
            json.loads(json.dumps(build_messages(turns, self.prompt.instructions))),
            tools=build_tools(self.tools),
            chat_template=self.template.source,
            return_dict=False,
            **options,
        )
        return ids


def build_model(name: str, folder: Path) -> Model:
    """The model of a family, in an empty folder, or the base model of the repository."""
    if name == "smollm2":
        if not SMOLLM2.exists():
            pytest.skip("NO BASE MODEL: run `dvc repro fetch`")
        folder, theirs = SMOLLM2, AutoTokenizer.from_pretrained(SMOLLM2)
    else:
        theirs = save_tokenizer(name, folder)
    if name == "gemma":  # no tools: its template would be replaced, and is looked at alone
        source = FAMILIES[name].template.read_text(encoding="utf-8")
        chat = JinjaChat(source, {"bos_token": "<bos>"}, name)
        return Model(
            name,
            NativeTemplate(chat, folder / "tokenizer.json"),
            theirs,
            PromptSpec("p", "en", ()).make_native(),
        )
    return Model(name, NativeTemplate.read(folder / "tokenizer.json"), theirs, PROMPT)


def save_tokenizer(name: str, folder: Path, *, gpt2: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level BPE with the special tokens and the template of a family, in `folder`.

    With `gpt2` it splits words as GPT-2 does.
    """
    family = FAMILIES[name]
    backend = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(WORDS, "isolated")
    newer = [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    gpt2s = [pre_tokenizers.ByteLevel(add_prefix_space=False)]
    backend.pre_tokenizer = pre_tokenizers.Sequence(gpt2s if gpt2 else newer)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=list(dict.fromkeys(family.special)),
    )
    backend.train_from_iterator(CORPUS, trainer)
    backend.add_tokens([AddedToken(token, special=False) for token in family.added])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=family.special[0],
        eos_token=family.special[1],
        chat_template=family.template.read_text(encoding="utf-8"),
    )
    tokenizer.save_pretrained(folder)
    return tokenizer
