"""What others' data went into a model, as a section at the end of its card: `make push`.

    python -m benchmark.reports.imported_sources METRICS CARD --model models/NAME

NAME is a recipe, or a size of `models` in params.yaml, whose recipe counts. The sources and their
licenses are those of the recipe's `import_data.sources`, the counts those that the stage
`import_data` wrote. A model without imported data gets no section.
"""

from collections.abc import Iterator
from pathlib import Path

from agent_tuning.converters.imported_data import ImportConfig, ImportedSource
from agent_tuning.files import atomic_write, json_file, yaml_records
from agent_tuning.files.markdown_table import format_row
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config
from benchmark.model_folder import find_place

TABLE = "import_data.json"
HEADER = ("source", "from", "license", "rows read", "rows trained on")


def find_recipe(model: Path) -> str:
    """The recipe whose data the model of `models/NAME` or `models/NAME/tuned` is made of."""
    name = next(iter(find_place(model)), "")
    sizes = yaml_records.read(config.PARAMS, dict[str, dict[str, object]], "models")
    return str(sizes[name]["recipe"]) if name in sizes else name


def list_rows(
    sources: tuple[ImportedSource, ...], counts: dict[str, float]
) -> Iterator[tuple[str, ...]]:
    """The cells of every source of which something was kept."""
    for source in sources:
        read, kept = (
            int(counts.get(f"{of}_{source.name}", 0)) for of in ("read_from", "kept_from")
        )
        if kept:
            origin = " ".join((source.source, source.config, *source.splits)).strip()
            license = source.license or "not stated"
            yield source.name, f"`{origin}`", license, f"{read:,}", f"{kept:,}"


def write_section(rows: list[tuple[str, ...]]) -> str:
    rule = "| --- | --- | --- | ---: | ---: |\n"
    table = f"{format_row(HEADER)}{rule}{''.join(map(format_row, rows))}"
    return f"\n## Data of others\n\nChecked and counted by `stages/import_data.py`.\n\n{table}"


def main(metrics: Path, card: Path, *, model: Path) -> None:
    if not card.is_file():
        raise BadInput(f"{card}: no such card")
    recipe = find_recipe(model)
    table = metrics / recipe / TABLE
    if not recipe or not table.is_file():
        return
    sources = config.load("import_data", ImportConfig, recipe=recipe).sources
    rows = list(list_rows(sources, json_file.read(table, dict[str, float])))
    if rows:
        text = card.read_text(encoding="utf-8").rstrip("\n") + "\n"
        atomic_write.write_text(card, text + write_section(rows))


if __name__ == "__main__":
    cli.run(main)
