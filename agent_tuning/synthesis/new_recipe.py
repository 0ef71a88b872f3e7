"""Write a recipe of your own into params.yaml: `make recipe NAME=… FROM=… DOMAINS="…"`.

`python -m agent_tuning.synthesis.new_recipe PARAMS CATALOGUE NAME FROM [DOMAIN ...]`

reads   PARAMS, CATALOGUE, and whether data/written/NAME has examples
writes  PARAMS: an entry at the end of `recipes`

It is a copy of FROM's. With domains, what depends on the tools is fitted to those of the domains;
the suites come with `make own-suite`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import Domain
from agent_tuning.files import yaml_edit, yaml_records
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.negative_selection import NegativesConfig
from agent_tuning.synthesis.planner import PlanConfig, Planner
from agent_tuning.synthesis.teachers import GroupRequest

Entry = dict[str, dict[str, object]]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
WRITTEN = Path("data/written")
# A catalogue of a few tools repeats itself more than ours does.
MAX_REJECTED, MAX_AUC = 0.5, 0.9


class OwnTools(NamedTuple):
    """What a recipe can be made of."""

    catalogue: Catalogue
    other_domains: list[str]  # those whose requests none of the tools can answer
    groups: int  # that the grammar has queries for
    examples: Path | None  # the folder of written ones


def check_name(params: Path, name: str) -> None:
    """Raise BadInput unless a recipe can have this name."""
    top = yaml_records.read(params, dict[str, object])
    taken = [*yaml_records.read(params, dict[str, object], "recipes")]
    sizes = top.get("models")
    taken += sizes if isinstance(sizes, dict) else []
    if not NAME.fullmatch(name):
        raise BadInput(f"NAME={name}: expected letters, digits and _, a letter first")
    if name in taken:
        raise BadInput(f"{params}: {name} is there already; choose another NAME, or leave out FROM")
    data = Path("data", name)
    if data.exists() and not (data / "plan.jsonl").exists():  # a recipe's folder has one
        raise BadInput(f"NAME={name}: {data} is something else; choose another name")


def read_domains(folder: Path) -> list[tuple[Path, Domain]]:
    return [(path, yaml_records.read(path, Domain)) for path in sorted(folder.glob("*.yaml"))]


def check_domains(known: Iterable[tuple[Path, Domain]], domains: Sequence[str]) -> None:
    """Raise BadInput if one of the domains is in two files, or has no English texts."""
    first: dict[str, Path] = {}
    for path, domain in known:
        if domain.domain not in domains:
            continue
        line = yaml_records.find_line(path, ["domain"])
        if domain.domain in first:
            raise BadInput(
                f"{path}:{line}: domain: {domain.domain} is also the domain of "
                f"{first[domain.domain]}; give one of them another name"
            )
        if "en" not in domain.languages:
            raise BadInput(f"{path}:{line}: languages: a recipe of its own needs texts in en")
        first[domain.domain] = path


def count_groups(catalogue: Catalogue, plan: PlanConfig) -> int:
    """How many of the groups that `plan` asks for the grammar has queries for."""
    if not any(catalogue.cells()):
        return 0
    requests = Planner(catalogue, plan, ()).requests("en")
    return sum(1 for _ in _until_exhausted(requests))


def _until_exhausted(requests: Iterable[GroupRequest]) -> Iterable[GroupRequest]:
    try:
        yield from requests
    except BadInput:
        return


def fit_plan(catalogue: Catalogue, plan: PlanConfig) -> PlanConfig:
    """English alone, all tools in every prompt, and any scenario as rare as it has to be."""
    return msgspec.structs.replace(
        plan,
        groups={"en": plan.groups.get("en", 0)},
        tools_per_prompt=(len(catalogue.entries),),
        minimum={"en": 1},
    )


def find_examples(name: str) -> Path | None:
    folder = WRITTEN / name
    return folder if any(folder.glob("*.jsonl")) else None


def fit_entry(entry: Entry, domains: Sequence[str], own: OwnTools) -> Entry:
    """The entry of the recipe that is copied, for the tools of other domains."""
    changes: Entry = {
        "catalogue": {"domains": list(domains)},
        "held_out": {"tools": []},
        "written": {"folder": str(own.examples or "")},
        "plan": {
            "groups": {"en": own.groups},
            "tools_per_prompt": [len(own.catalogue.entries)],
            "minimum": {"en": 1 if own.groups else 0},
        },
        "verify": {"max_rejected": MAX_REJECTED},
        "add_hard_negatives": {"other_domains": own.other_domains, "max_auc": MAX_AUC},
        "build_requests": {"groups": {"validation": None}},
        "shots": {"suite": "validation"},
        "episodes": {"families": []},  # they need simulators
        "report": {"not_trained_for": []},
    }
    fitted = {section: {**keys, **changes.get(section, {})} for section, keys in entry.items()}
    return {**fitted, "decontamination": {}}  # today's fence, not that of an earlier training


def main(params: Path, catalogue: Path, name: Path, source: Path, *domain: Path) -> None:
    own_name, domains = str(name), [str(one) for one in domain]
    recipes = yaml_records.read(params, dict[str, Entry], "recipes")
    check_name(params, own_name)
    if str(source) not in recipes:
        raise BadInput(f"FROM={source}: expected one of {', '.join(recipes)}")
    entry = recipes[str(source)]
    if not domains:
        yaml_edit.append_entry(params, "recipes", own_name, entry)
        print(f"{params}: recipe {name}, a copy of {source}")
        return
    known = read_domains(catalogue)
    check_domains(known, domains)
    tools = Catalogue(catalogue, domains)
    plan = fit_plan(tools, config.load("plan", PlanConfig, params, str(source)))
    negatives = config.load("add_hard_negatives", NegativesConfig, params, str(source))
    others = {domain.domain for _, domain in known} - set(domains)
    own = OwnTools(
        tools,
        [name for name in negatives.other_domains if name in others],
        count_groups(tools, plan),
        find_examples(own_name),
    )
    if not own.groups and not own.examples:
        raise BadInput(
            f"{catalogue}: too few scenarios in {', '.join(domains)}, and no written examples in "
            f"{WRITTEN / own_name}: nothing to train on; add one or the other (docs/own-tools.md)"
        )
    yaml_edit.append_entry(params, "recipes", own_name, fit_entry(entry, domains, own))
    for text in tools.left_out:
        print(f"left out: {text}; add its domain to DOMAINS to have it")
    kinds = Counter(scenario.kind for _, scenario in tools.cells())
    print(
        f"{params}: recipe {name}: {len(tools.entries)} tools, {kinds.total()} scenarios, "
        f"{own.groups} groups from the grammar, examples: {own.examples or 'none'}"
    )


if __name__ == "__main__":
    cli.run(main)
