"""One section of params.yaml as a typed record, with what the recipe changes in it."""

from pathlib import Path
from typing import TypeVar

from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput

T = TypeVar("T")

PARAMS = Path("params.yaml")


def load(section: str, kind: type[T], path: Path = PARAMS, recipe: str = "") -> T:
    """Read one section; keys that `recipes.RECIPE.SECTION` has replace those of the section.

    RECIPE is `recipe`, or else the file's own choice; a file without one has no recipes. Raises
    BadInput with file, line and field if the result is not a `kind`, and for an unknown recipe.
    """
    top = yaml_records.read(path, dict[str, object])
    if "recipe" not in top:
        return yaml_records.read(path, kind, section)
    recipe = recipe or yaml_records.read(path, str, "recipe")
    recipes = yaml_records.read(path, dict[str, dict[str, dict[str, object]]], "recipes")
    if recipe not in recipes:
        line = yaml_records.find_line(path, ["recipe"])
        raise BadInput(f"{path}:{line}: recipe: {recipe}: available: {', '.join(recipes)}")
    return yaml_records.read(path, kind, section, ("recipes", recipe, section))
