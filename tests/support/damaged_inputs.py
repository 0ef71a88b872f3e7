"""Damaged files of every kind, seeded: each is one clear line, or rightly accepted.

`python -m tests.support.damaged_inputs [SEED] [EACH]` reads EACH damaged files of every kind and
prints what came of them: accepted, one line, a traceback, or a hang of more than ten seconds.
"""

import contextlib
import io
import json
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import yaml

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.messages import Reply
from agent_tuning.converters import documents, load, tools
from agent_tuning.files import csv_records, file_hashes, jsonl, yaml_records
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.model import flops, load_model, tiny_model
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import config
from agent_tuning.synthesis import written_examples
from agent_tuning.synthesis.general_questions import GeneralQuestions
from agent_tuning.tokens import pack_file
from agent_tuning.tokens.chat_template import ChatTokenizer
from agent_tuning.tokens.pack_file import Pack, Span
from agent_tuning.training import checkpoints, zero3
from agent_tuning.training.train_log import TrainStep
from agent_tuning.training.trainer import TrainConfig
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig
from benchmark.reports import suite_problems
from benchmark.scoring import metrics, signatures
from benchmark.scoring.score_suites import ScoreConfig
from benchmark.tasks import suites
from benchmark.tasks.suite_version import Version, read_version, write_version
from tests.conftest import SIZES, some_groups

ROOT = Path(__file__).parents[2]
SECONDS = 10  # longer is a hang
SCORING = ScoreConfig(0.5, "rouge_l", 20, 7, (0.0,))
WORDS = 259


class Hang(BaseException):
    """Nothing in the code under test catches it."""


class Kind(NamedTuple):
    """A kind of file: `make` writes a sound one into a folder, `read` reads the file there."""

    file: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]


def copy_suite(path: Path) -> None:
    """Two groups of the house suite, and the version of that part."""
    source = ROOT / "benchmark/suites/house"
    whole = suites.read(source)
    kept = dict(list(whole.prompts.items())[:2])
    tasks = tuple(task for task in whole.tasks if task.prompt in kept)
    names = {key for prompt in kept.values() for key in prompt.tools}
    part = {key: tool for key, tool in whole.tools.items() if key in names}
    suite = suites.Suite("house", part, kept, tasks)
    suites.write(path.parent, suite)
    write_version(path.parent, Version(1, suite.digest))


def check_suite(path: Path) -> None:
    problems = list(suite_problems.find_problems(suites.read(path.parent), SCORING))
    if problems:
        raise BadInput(problems[0])


def make_model(path: Path) -> None:
    words = tiny_model.build_tokenizer()
    tiny_model.build_model(SIZES, words).save_pretrained(path.parent)
    words.save_pretrained(path.parent)


def read_model(path: Path) -> None:
    folder = path.parent
    load_model.check_files(folder)
    flops.read_model_shape(folder)
    load_model.load_model(folder, load_model.torch.float32)
    _ = ChatTokenizer(folder / "tokenizer.json").native


def make_params(path: Path) -> None:
    sections = yaml.safe_load((ROOT / "params.yaml").read_text())
    path.write_text(yaml.safe_dump({name: sections[name] for name in ("train", "predict")}))


def read_params(path: Path) -> None:
    config.load("train", TrainConfig, path)
    config.load("predict", PredictConfig, path)


def make_store(path: Path) -> None:
    replies = [Reply(f"k{n}", "a", "m", "Yes.", "stop", 3, 4) for n in range(3)]
    jsonl.write(path, replies)


def read_store(path: Path) -> None:
    store = AnswerStore(path)
    for number in range(3):
        store.get(f"k{number}")


def make_packs(path: Path) -> None:
    pack_file.write(path, [Pack([1, 2, 3, 4], [0.0, 0.0, 1.0, 1.0], [Span(1, (3,))])] * 9)


def find_checkpoint_problem(path: Path) -> None:
    problem = checkpoints.find_problem(path.parent)
    if problem:
        raise BadInput(problem)


OPENAI_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"get_{name}",
            "description": f"Get the {name}.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    for name in ("weather", "time")
]
OPENAI_CHAT = {
    "messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello!"}]
}


def dump(value: object) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(value))


def copy(name: str) -> Callable[[Path], object]:
    return lambda path: shutil.copy(ROOT / name, path)


KINDS: dict[str, Kind] = {
    "params": Kind("params.yaml", make_params, read_params),
    "catalogue": Kind(
        "weather.yaml", copy("data/catalogue/weather.yaml"), lambda p: Catalogue(p.parent)
    ),
    "phrasing": Kind(
        "phrasing.yaml", copy("data/phrasing.yaml"), lambda p: yaml_records.read(p, Phrasing)
    ),
    "general": Kind(
        "general.yaml", copy("data/general.yaml"), lambda p: yaml_records.read(p, GeneralQuestions)
    ),
    "suite tools": Kind("tools.jsonl", copy_suite, check_suite),
    "suite prompts": Kind("prompts.jsonl", copy_suite, check_suite),
    "suite tasks": Kind("tasks.jsonl", copy_suite, check_suite),
    "suite version": Kind(
        "version.json", copy_suite, lambda p: read_version(p.parent, suites.read(p.parent))
    ),
    "signatures": Kind(
        "signatures.json",
        lambda p: signatures.write_signatures(p, {"house": "x", "bfcl": "y"}),
        lambda p: signatures.read_signatures(p.parent, ["house"]),
    ),
    "metrics": Kind("house.json", dump({"tuned.em": 0.5, "tuned.n": 3}), metrics.read),
    "groups": Kind(
        "groups.jsonl",
        lambda p: jsonl.write(p, some_groups()),
        lambda p: list(jsonl.read(p, Group)),
    ),
    "written": Kind(
        "voice.jsonl",
        copy("data/written/shop/business.jsonl"),
        lambda p: list(written_examples.read_folder(p.parent)),
    ),
    "answers": Kind(
        "answers.jsonl",
        lambda p: jsonl.write(p, [Answer(f"t{n}", "Yes.") for n in range(5)]),
        lambda p: list(jsonl.read(p, Answer)),
    ),
    "requests": Kind(
        "requests.jsonl",
        lambda p: jsonl.write(p, [QuestionGroup("g", ("",), (1, 2), {"a": (3,)})] * 3),
        lambda p: list(jsonl.read(p, QuestionGroup)),
    ),
    "packs": Kind("packs.parquet", make_packs, lambda p: pack_file.check(p, WORDS)),
    "config": Kind("config.json", make_model, read_model),
    "weights": Kind("model.safetensors", make_model, read_model),
    "tokenizer": Kind("tokenizer.json", make_model, read_model),
    "tokenizer config": Kind("tokenizer_config.json", make_model, read_model),
    "chat template": Kind("chat_template.jinja", make_model, read_model),
    "replies": Kind("replies.jsonl", make_store, read_store),
    "train log": Kind(
        "log.csv",
        lambda p: csv_records.write(p, TrainStep, [TrainStep(n, 1.0, 0.1, 2.0) for n in range(5)]),
        lambda p: list(csv_records.read(p, TrainStep)),
    ),
    "hashes": Kind(
        "digests.json",
        lambda p: file_hashes.hash_files([Path(__file__)], p),
        lambda p: file_hashes.hash_files([Path(__file__)], p),
    ),
    "checkpoint marker": Kind(
        "COMPLETE",
        lambda p: checkpoints.mark_complete(p.parent, 1),
        find_checkpoint_problem,
    ),
    "DeepSpeed": Kind(
        "zero3.json",
        copy("slurm/zero3.json"),
        lambda p: zero3.build_deepspeed_config(p, flops.ModelShape(1, 1, 1, 1)),
    ),
    "import tools": Kind(
        "tools.json", dump(OPENAI_TOOLS), lambda p: tools.read_tools(documents.read(p), p)
    ),
    "import chats": Kind(
        "chats.jsonl", dump(OPENAI_CHAT), lambda p: list(load.read_groups("openai", str(p)))
    ),
}

Damage = Callable[[bytes, random.Random], bytes]


def place(content: bytes, rng: random.Random) -> int:
    return rng.randrange(len(content) + 1)


def insert(piece: bytes) -> Damage:
    def damage(content: bytes, rng: random.Random) -> bytes:
        at = place(content, rng)
        return content[:at] + piece + content[at:]

    return damage


def flip_byte(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def drop_part(content: bytes, rng: random.Random) -> bytes:
    start = place(content, rng)
    return content[:start] + content[start + rng.randrange(1, 60) :]


def swap_word(content: bytes, rng: random.Random) -> bytes:
    """A number, text or literal becomes another kind of value."""
    words = content.split(b" ") if b" " in content else content.split(b",")
    words[rng.randrange(len(words))] = rng.choice(
        [b"null", b"-1", b"1e999", b'"x"', b"[]", b"{}", b"true", b"9" * 5000, b".nan", b"\xf0"]
    )
    return (b" " if b" " in content else b",").join(words)


DAMAGES: dict[str, Damage] = {
    "empty": lambda content, rng: b"",  # noqa: ARG005
    "cut": lambda content, rng: content[: place(content, rng)],
    "flipped bit": flip_byte,
    "dropped part": drop_part,
    "another value": swap_word,
    "not UTF-8": insert(b"\xff\xfe"),
    "NUL": insert(b"\0"),
    "escape sequence": insert(b"\x1b]0;t\x07"),
    "doubled": lambda content, rng: content + content,  # noqa: ARG005
    "other text": lambda content, rng: b"hello " * 99,  # noqa: ARG005
    "deep brackets": insert(b"[" * 20_000),
    "deep objects": insert(b'{"a":' * 20_000),
    "tag": insert(b" !!python/object/apply:os.system [id] "),
    "alias": insert(b" &a [*a, *b] "),
    "byte-order mark": lambda content, rng: b"\xef\xbb\xbf" + content,  # noqa: ARG005
    "zeros": lambda content, rng: bytes(len(content)),  # noqa: ARG005
}


class Outcome(NamedTuple):
    """`result` is accepted, one line, traceback or hang."""

    kind: str
    damage: str
    number: int
    result: str
    text: str


def read_damaged(seed: int, each: int) -> Iterator[Outcome]:
    """`each` damaged files of every kind, the damages in seeded order."""
    for name, kind in KINDS.items():
        rng = random.Random(f"{seed}:{name}")
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            kind.make(folder / kind.file)
            sound = (folder / kind.file).read_bytes()
            names = [n for _ in range(each) for n in rng.sample(list(DAMAGES), len(DAMAGES))]
            for number, damage in enumerate(names[:each]):
                path = folder / kind.file
                path.write_bytes(DAMAGES[damage](sound, rng))
                result, text = run(partial(kind.read, path))
                yield Outcome(name, damage, number, result, text)


def run(read: Callable[[], Any]) -> tuple[str, str]:
    """What came of reading, and its line."""

    def stop(_: int, __: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            read()
    except BadInput as error:
        return ("traceback" if "\n" in str(error) else "one line"), str(error)
    except Hang:
        return "hang", ""
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return "accepted", ""


def main(seed: int = 1, each: int = 16) -> None:
    outcomes = []
    for outcome in read_damaged(seed, each):
        outcomes.append(outcome)
        if outcome.result in ("traceback", "hang"):
            print(*outcome[:4], repr(outcome.text[:300]), flush=True)
    results = ("one line", "accepted", "traceback", "hang")
    print(f"{'':18}", *(f"{result:>9}" for result in results))
    for name in KINDS:
        counts = Counter(outcome.result for outcome in outcomes if outcome.kind == name)
        print(f"{name:18}", *(f"{counts[result]:9}" for result in results))
    counts = Counter(outcome.result for outcome in outcomes)
    print(f"{len(outcomes)} damaged files: {dict(counts)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
