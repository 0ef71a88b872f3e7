"""Turn groups into packs of token ids and loss weights: all that training needs to know.

reads   data/mixed.jsonl       Group
        data/validation.jsonl  Group, for validation while training
        data/base/             the tokenizer
writes  data/packs.parquet     ids, weights, spans: one row a pack
        data/validation.parquet  the same, of the groups for validation
        metrics/render.json    tokens, and what sharing the prompts saved
"""

from pathlib import Path

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.records import Group
from agent_tuning.runtime import cli, config
from agent_tuning.tokens.chat_template import ChatTokenizer
from agent_tuning.tokens.render import RenderConfig, render


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
    counts = render(jsonl.read(mixed, Group), chat, render_config, packs)
    metrics_file.write(metrics, counts)
    if validation and validation_packs:
        render(jsonl.read(validation, Group), chat, render_config, validation_packs)
    saved = f"{counts['tokens']} tokens ({counts['prefix_sharing_ratio']:.2f} x fewer)"
    print(f"{packs}: {counts['packs']} packs, {saved}")


if __name__ == "__main__":
    cli.run(main)
