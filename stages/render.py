"""Turn groups into packs of token ids and loss weights: all that training needs to know.

reads   data/mixed.jsonl       Group
        data/validation.jsonl  Group, for validation while training
        data/base/             the tokenizer
writes  data/packs.parquet     ids, weights, spans: one row a pack
        data/validation.parquet  the same, of the groups for validation
        metrics/render.json    tokens, and what sharing the prompts saved
"""

from collections.abc import Iterator
from pathlib import Path

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.records import Group
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.progress import Progress
from agent_tuning.tokens.chat_template import ChatTokenizer
from agent_tuning.tokens.render import RenderConfig, render


def read_and_show(path: Path) -> Iterator[Group]:
    """The groups of a file, with progress."""
    with path.open("rb") as lines:
        progress = Progress("render", sum(1 for _ in lines))
    for number, group in enumerate(jsonl.read(path, Group), 1):
        yield group
        progress.show(number)


def main(
    mixed: Path,
    base: Path,
    packs: Path,
    metrics: Path,
    *,
    validation: Path | None = None,
    validation_packs: Path | None = None,
) -> None:
    render_config = config.load("render", RenderConfig)
    chat = ChatTokenizer(base / "tokenizer.json")
    counts = render(read_and_show(mixed), chat, render_config, packs)
    metrics_file.write(metrics, counts)
    if validation and validation_packs:
        render(jsonl.read(validation, Group), chat, render_config, validation_packs)
    saved = f"{counts['tokens']} tokens ({counts['prefix_sharing_ratio']:.2f} x fewer)"
    dropped = f"; {counts['too_long']} trajectories too long" * bool(counts["too_long"])
    print(f"{packs}: {counts['packs']} packs, {saved}{dropped}")


if __name__ == "__main__":
    cli.run(main)
