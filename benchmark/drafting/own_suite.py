"""Make the suites of your own tools: `make own-suite`, for the recipe that params.yaml chooses.

`python -m benchmark.drafting.own_suite SUITES [WORDED]`

reads   params.yaml: draft_specialist, written_suite, and the recipe;  data/catalogue
        WORDED                   freely worded tasks: a folder of WrittenExample, or one file
writes  SUITES/RECIPE_drafted/   a suite from the grammar, if any tool has a scenario
        SUITES/RECIPE/           a suite of the freely worded tasks, if there are any
        params.yaml              that the recipe is asked these suites
"""

from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue, CatalogueConfig
from agent_tuning.files import yaml_edit, yaml_records
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config
from benchmark.drafting.draft_specialist import draft_suite
from benchmark.drafting.drafter import write_next_version
from benchmark.drafting.written_suite import build_suite
from benchmark.tasks.requests import RequestsConfig


def check_recipe(recipe: str, folder: Path) -> dict[str, int | None]:
    """The suites that the recipe is asked.

    Raises BadInput if that is a suite of another recipe, or if another recipe's suite has the name
    of one that will be written.
    """
    asked = config.load("build_requests", RequestsConfig).groups
    own = [recipe, f"{recipe}_drafted"]
    here = {path.parent.name for path in folder.glob("*/tasks.jsonl")}
    if others := sorted(here & asked.keys() - set(own)):
        raise BadInput(
            f"params.yaml: recipe: {recipe} is asked {', '.join(others)}; choose a recipe of your "
            'own tools: make recipe NAME=mine FROM=specialist DOMAINS="mine"'
        )
    if foreign := sorted(here & set(own) - asked.keys()):
        raise BadInput(f"{folder / foreign[0]}: already there, and no suite of recipe {recipe}")
    return asked


def main(folder: Path, worded: Path | None = None) -> None:
    recipe = yaml_records.read(config.PARAMS, str, "recipe")
    asked = check_recipe(recipe, folder)
    free, drafted = folder / recipe, folder / f"{recipe}_drafted"
    if worded:
        write_next_version(free, build_suite(free.name, worded, recipe))
    domains = config.load("catalogue", CatalogueConfig).domains
    if any(Catalogue(Path("data/catalogue"), domains).cells()):
        write_next_version(drafted, draft_suite(drafted.name, recipe))
    else:
        print(f"{drafted}: not drafted: no tool has a scenario")
    own = [path.name for path in (free, drafted) if (path / "tasks.jsonl").exists()]
    if not own:
        raise BadInput(
            f"{free / 'written'}: no freely worded tasks, and no scenarios to draft from: write "
            "one or the other (docs/own-tools.md)"
        )
    groups = {**asked, **{name: asked.get(name) for name in own}}
    keys = ["recipes", recipe, "build_requests", "groups"]
    yaml_edit.replace_value(config.PARAMS, keys, groups)
    yaml_edit.replace_value(config.PARAMS, ["recipes", recipe, "shots", "suite"], own[0])
    print(f"{config.PARAMS}: {recipe} is asked {', '.join(groups)}")


if __name__ == "__main__":
    cli.run(main)
