"""Training examples and rejects as a page: `make browse`.

`python -m benchmark.pages.browse DATA BASE TARGET --examples 30 --seed 0` writes that many random
examples of DATA/mixed.jsonl, their trained tokens in colour, and every reject with its reason.
"""

from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from random import Random

from agent_tuning.converters.imported_data import ImportReject
from agent_tuning.files import jsonl
from agent_tuning.quality.verify import Reject
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli
from agent_tuning.tokens import inspect_labels
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark import missing_step
from benchmark.pages import row_page
from benchmark.pages.data_files import IMPORT_REJECTS, REJECTS, format_json, read_made
from benchmark.pages.row_page import Page, Prompt, Row, SharedTexts, Text, Tokens

FACETS = ("what", "kind", "tool", "reason", "reply format")


def build_page(data: Path, chat: ChatTokenizer, examples: int, seed: int) -> Page:
    """Raises BadInput for a file of DATA that is missing or damaged."""
    texts = SharedTexts()
    chosen = list(_draw_examples(data / "mixed.jsonl", examples, seed))
    rows = [
        *(_build_example(group, index, chat, texts) for group, index in chosen),
        *_list_rejects(data),
    ]
    return Page(
        title=f"Training data of {data.name}",
        intro=f"{len(chosen)} random training examples, and every reject with its reason. The "
        "model is trained on the green tokens; names of tools are bold; the rest is only read.",
        noun="rows",
        facets=FACETS,
        flags=(),
        texts=texts.all,
        rows=tuple(rows),
    )


def _draw_examples(mixed: Path, count: int, seed: int) -> Iterator[tuple[Group, int]]:
    """Random trajectories, as their group and their place in it."""
    missing_step.expect(mixed, "training data", "dvc repro mix")
    groups = list(jsonl.read(mixed, Group))
    places = [(group, index) for group in groups for index in range(len(group.trajectories))]
    yield from Random(seed).sample(places, min(count, len(places)))


def _build_example(group: Group, index: int, chat: ChatTokenizer, texts: SharedTexts) -> Row:
    example = group.trajectories[index]
    prefix = chat.prefix(group.prompt)
    tokens = islice(inspect_labels.label_tokens(group, index, chat), len(prefix), None)
    runs = tuple(
        (_name_style(*style), _decode([token for token, *_ in run], chat))
        for style, run in groupby(tokens, key=lambda token: token[1:])
    )
    return Row(
        id=example.id,
        title=example.query,
        values={
            "what": ("training example",),
            "kind": (example.kind,),
            "tool": (example.tool or "none",),
            "reply format": (group.prompt.reply_format or "none",),
        },
        parts=(
            Prompt("prompt, as the model reads it", texts.add(_decode(prefix, chat))),
            Tokens("conversation", runs),
            Text("group", group.id),
        ),
    )


def _decode(ids: list[int], chat: ChatTokenizer) -> str:
    return str(chat.tokenizer.decode(ids, skip_special_tokens=False))


def _name_style(trained: bool, is_name: bool) -> str:
    return ("name" if is_name else "trained") if trained else ""


def _list_rejects(data: Path) -> Iterator[Row]:
    """An id may be rejected more than once: each reject is a row."""
    for name, stage in REJECTS.items():
        for number, reject in enumerate(read_made(data / name, Reject), 1):
            example = reject.trajectory
            yield Row(
                id=f"{example.id} ({name}:{number})",
                title=example.query,
                values={
                    "what": (f"rejected by {stage}",),
                    "kind": (example.kind,),
                    "tool": (example.tool or "none",),
                    "reason": (reject.reason,),
                },
                parts=(
                    Text("reason", f"{reject.reason} {reject.detail}".strip()),
                    Text("turns", "\n".join(map(format_json, example.turns))),
                    Text("group", reject.group),
                ),
            )
    for number, row in enumerate(read_made(data / IMPORT_REJECTS, ImportReject), 1):
        yield Row(
            id=f"{IMPORT_REJECTS}:{number}",
            title=row.trajectory.query if row.trajectory else row.detail,
            values={"what": ("rejected by import_data",), "reason": (row.reason,)},
            parts=(Text("source", row.source), Text("reject", format_json(row))),
        )


def main(data: Path, base: Path, target: Path, *, examples: int = 30, seed: int = 0) -> None:
    if examples < 0:
        raise BadInput(f"EXAMPLES={examples}: expected a number of examples, 0 or more")
    page = build_page(data, ChatTokenizer(base / "tokenizer.json"), examples, seed)
    row_page.write(target, page)
    print(f"{target.absolute()}: {len(page.rows)} rows")


if __name__ == "__main__":
    cli.run(main)
