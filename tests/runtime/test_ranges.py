"""Every number of params.yaml has a range, and a number outside of it is one clear line."""

import copy
import importlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from msgspec import inspect

from agent_tuning.records import BadInput
from agent_tuning.runtime import config

PARAMS = yaml.safe_load(Path("params.yaml").read_text())
ROOTS = ("agent_tuning", "benchmark", "slurm", "stages")
NOT_SECTIONS = {"recipe", "recipes", "sizes"}


def find_kinds() -> dict[str, Any]:
    """What `config.load` reads each section as, found in the code that calls it."""
    kinds: dict[str, Any] = {}
    for path in sorted(path for root in ROOTS for path in Path(root).rglob("*.py")):
        text = path.read_text()
        for section, kind in re.findall(r'config\.load\(\s*("?\w+"?),\s*([\w.\[\], ]+?)[,)]', text):
            module = importlib.import_module(".".join(path.with_suffix("").parts))
            name = section.strip('"') if '"' in section else getattr(module, section, "")
            kind = "dict[str, Size]" if kind == "dict[str" else kind
            if name and kind != "Section":
                kinds[name] = eval(kind, vars(module))
    return kinds


KINDS = find_kinds()


class Number(NamedTuple):
    """A number of params.yaml: its keys, its value, and its type (None in free JSON)."""

    keys: tuple[str | int, ...]
    value: float
    kind: inspect.IntType | inspect.FloatType | None

    def __str__(self) -> str:
        return ".".join(map(str, self.keys))


def list_number_types(kind: inspect.Type, where: str) -> Iterator[tuple[str, Any]]:
    """Every int and float that a type holds, with a name for messages."""
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        yield where, kind
    elif isinstance(kind, inspect.Metadata):
        yield from list_number_types(kind.type, where)
    elif isinstance(kind, inspect.UnionType):
        for part in kind.types:
            yield from list_number_types(part, where)
    elif isinstance(kind, inspect.DictType):
        yield from list_number_types(kind.value_type, f"{where}[]")
    elif isinstance(kind, inspect.VarTupleType | inspect.ListType):
        yield from list_number_types(kind.item_type, f"{where}[]")
    elif isinstance(kind, inspect.StructType):
        for field in kind.fields:
            yield from list_number_types(field.type, f"{where}.{field.name}")


def list_numbers(
    kind: inspect.Type | None, value: object, keys: tuple[str | int, ...]
) -> Iterator[Number]:
    """Every number of a value that has this type."""
    if isinstance(kind, inspect.Metadata):
        yield from list_numbers(kind.type, value, keys)
    elif isinstance(kind, inspect.UnionType):
        fitting = [part for part in kind.types if not isinstance(part, inspect.NoneType)]
        yield from list_numbers(fitting[0], value, keys)
    elif isinstance(value, dict):
        fields = {f.name: f.type for f in getattr(kind, "fields", ())}
        for key, part in value.items():
            inner = fields.get(key, getattr(kind, "value_type", None))
            yield from list_numbers(inner, part, (*keys, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from list_numbers(getattr(kind, "item_type", None), part, (*keys, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = kind if isinstance(kind, inspect.IntType | inspect.FloatType) else None
        yield Number(keys, value, number)


NUMBERS = [
    number
    for name, section in PARAMS.items()
    if name not in NOT_SECTIONS
    for number in list_numbers(inspect.type_info(KINDS[name]), section, (name,))
]
TYPED = [number for number in NUMBERS if number.kind]


def test_every_section_is_read_as_a_type():
    assert PARAMS.keys() - NOT_SECTIONS == KINDS.keys()
    assert len(TYPED) > 200


def test_every_number_of_a_section_has_a_lower_and_an_upper_bound():
    unbounded = [
        where
        for section, kind in KINDS.items()
        for where, number in list_number_types(inspect.type_info(kind), section)
        if (number.ge is None and number.gt is None) or (number.le is None and number.lt is None)
    ]
    assert unbounded == []


def find_outside(number: inspect.IntType | inspect.FloatType) -> list[float]:
    """A value below the range and one above it."""
    step = 1 if isinstance(number, inspect.IntType) else 0.5
    low = number.gt if number.ge is None else number.ge - step
    high = number.lt if number.le is None else number.le + step
    assert low is not None
    assert high is not None
    return [low, high]


def write_changed(folder: Path, keys: tuple[str | int, ...], value: object) -> Path:
    """One section of params.yaml, with another value under `keys`."""
    sections = copy.deepcopy({keys[0]: PARAMS[keys[0]]})
    place: Any = sections
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path = folder / "params.yaml"
    path.write_text(yaml.dump(sections, Dumper=yaml.CSafeDumper))
    return path


def refuse(path: Path, section: str) -> str:
    with pytest.raises(BadInput) as error:
        config.load(section, KINDS[section], path)
    message = str(error.value)
    assert re.search(r"^\S+params\.yaml:\d+: ", message), message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("section", KINDS)
def test_a_number_outside_its_range_is_one_line_with_file_line_field_and_range(section, tmp_path):
    for number in TYPED:
        for value in find_outside(number.kind) if number.keys[0] == section else ():
            message = refuse(write_changed(tmp_path, number.keys, value), section)
            assert re.search(r"(<=|>=|<|>) -?[\d.]+", message), message
            names = [str(key) for key in number.keys[1:] if isinstance(key, str)]
            assert {f".{name}" for name in names[-2:]} & set(re.findall(r"\.\w+", message)), message


@pytest.mark.parametrize("section", KINDS)
def test_nan_and_infinity_are_refused_everywhere(section, tmp_path):
    for number in NUMBERS:
        if number.keys[0] == section:
            for value in (math.nan, math.inf, -math.inf):
                refuse(write_changed(tmp_path, number.keys, value), section)


def test_the_numbers_of_params_yaml_are_inside_their_ranges_in_every_recipe():
    for recipe in PARAMS["recipes"]:
        for section, kind in KINDS.items():
            config.load(section, kind, recipe=recipe)


@pytest.mark.parametrize(
    ("keys", "value", "line"),
    [
        ("plan.tools_per_prompt", [], r"length >= 1 - at `\$.tools_per_prompt`"),
        ("scoring.sweep", [], r"length >= 1 - at `\$.sweep`"),
        ("plan.minimum", {}, r"minimum: expected a number for en, zh"),
        ("fetch.tiny.num_attention_heads", 3, r"hidden_size: expected a multiple of num_att"),
        ("rate.shared", 0, r">= 1 - at `\$.shared`"),
        ("rate.min_alpha", -1.5, r">= -1\.0 - at `\$.min_alpha`"),
        ("train.learning_rate", "3e-4", r"`float`, got `str`.*write 3.0e-4 in place of 3e-4"),
    ],
)
def test_what_makes_no_sense_is_one_line_too(keys, value, line, tmp_path):
    names = tuple(keys.split("."))
    assert re.search(line, refuse(write_changed(tmp_path, names, value), names[0]))
