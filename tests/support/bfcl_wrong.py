"""Answers to BFCL's questions, wrong by rule, and what bfcl-eval's own command says of them.

    python -m tests.support.bfcl_wrong VENV PYTHON tests/golden/bfcl_verdicts.json

VENV is ours; PYTHON is that of an environment with bfcl-eval and all that it declares, its list of
models included. Its unchanged `bfcl evaluate` judges the answers, as a model of that list. The file
has ids, rules and verdicts, and nothing of BFCL.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.bfcl_gold import Calls, Golds, find_data

# A model of their list that has the handler of ours: native tools over OpenAI's protocol.
THEIR_MODEL = "openbmb/MiniCPM-SALA-FC"
RIGHT = "right"
Json = Any
Result = list[dict[str, str]] | str | list[list[Json]]


def write_calls(calls: Calls) -> list[dict[str, str]]:
    return [{name: json.dumps(arguments)} for name, arguments in calls]


def change_first(calls: Calls, change: Callable[[dict[str, Json]], dict[str, Json]]) -> Result:
    (name, arguments), *others = calls
    return write_calls([(name, change(arguments)), *others])


def spoil_first_value(arguments: dict[str, Json]) -> dict[str, Json]:
    first = next(iter(arguments))
    return arguments | {first: "no such value"}


def write_numbers_as_texts(arguments: dict[str, Json]) -> dict[str, Json]:
    return {k: str(v) if isinstance(v, int | float) else v for k, v in arguments.items()}


RULES: dict[str, Callable[[Calls], Result]] = {
    "as_it_is": write_calls,
    "text": lambda _: "I cannot do that.",
    "no_call": lambda _: [],
    "call": lambda _: [{"some_tool": "{}"}],
    "argument_missing": lambda c: change_first(c, lambda a: dict(list(a.items())[1:])),
    "argument_more": lambda c: change_first(c, lambda a: a | {"surprise": 1}),
    "value_wrong": lambda c: change_first(c, spoil_first_value),
    "numbers_as_texts": lambda c: change_first(c, write_numbers_as_texts),
    "name_wrong": lambda c: write_calls([(f"{c[0][0]}_x", c[0][1]), *c[1:]]),
    "called_twice": lambda c: write_calls([c[0], *c]),
    "last_missing": lambda c: write_calls(c[:-1]),
    "reversed": lambda c: write_calls(c[::-1]),
    "arguments_cut": lambda c: [{c[0][0]: json.dumps(c[0][1])[:-1]}],
    "arguments_listed": lambda c: [{c[0][0]: "[]"}],
}
# Of several turns: what becomes of the list of them.
TURN_RULES: dict[str, Callable[[list[Json]], Result]] = {
    "as_it_is": lambda turns: turns,
    "text": lambda _: "I cannot do that.",
    "turn_missing": lambda turns: turns[:-1],
    "silent_turn": lambda turns: [["Done."], *turns[1:]],
    "silent_last_turn": lambda turns: [*turns[:-1], ["Done."]],
    "steps_more": lambda turns: [[*turns[0], *turns[0]], *turns[1:]],
    "unknown_tool": lambda turns: [[[{"no_such_tool": "{}"}], *turns[0]], *turns[1:]],
}


def spoil(id: str, rule: str, turns: list[Calls]) -> Result:
    if not id.startswith("multi_turn"):
        return RULES[rule](turns[0])
    return TURN_RULES[rule]([[write_calls(calls)] if calls else [] for calls in turns])


def build_results(data: Path, rules: Mapping[str, str]) -> dict[str, Result]:
    """The answer to each question of `rules` (id -> rule)."""
    results: dict[str, Result] = {}
    for category in sorted({id.rpartition("_")[0] for id in rules}):
        golds = Golds(data, category)
        own = {id: rule for id, rule in rules.items() if id.rpartition("_")[0] == category}
        results |= {id: spoil(id, rule, golds.by_id[id]) for id, rule in own.items()}
    return results


def read_verdicts(scores: Path, ids: Mapping[str, Json]) -> dict[str, str]:
    """`right` or the type of the error, from bfcl-eval's score files."""
    wrong = {}
    for path in scores.rglob("BFCL_v4_*_score.json"):
        for line in map(json.loads, path.read_text().splitlines()[1:]):
            error = line["error"]
            wrong[line["id"]] = line.get("error_type") or error["error_type"]
    return {id: wrong.get(id, RIGHT) for id in ids}


def ask_theirs(python: Path, results: Mapping[str, Result]) -> dict[str, str]:
    """The verdicts of `bfcl evaluate` in the environment of `python`."""
    with tempfile.TemporaryDirectory() as folder:
        for id, result in results.items():
            category = id.rpartition("_")[0]
            group = next((g for g in ("multi_turn", "live") if id.startswith(g)), "non_live")
            path = Path(folder, "result", THEIR_MODEL.replace("/", "_"), group)
            path.mkdir(parents=True, exist_ok=True)
            with open(path / f"BFCL_v4_{category}_result.json", "a") as lines:
                lines.write(json.dumps({"id": id, "result": result}) + "\n")
        command = [str(python), "-m", "bfcl_eval", "evaluate", "--model", THEIR_MODEL]
        categories = ",".join(sorted({id.rpartition("_")[0] for id in results}))
        command += ["--test-category", categories, "--partial-eval"]
        environment = {**os.environ, "BFCL_PROJECT_ROOT": folder, "OPENAI_API_KEY": "none"}
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        return read_verdicts(Path(folder, "score"), results)


def main() -> None:
    venv, python, target = map(Path, sys.argv[1:])
    known = json.loads(target.read_text())
    rules = {id: entry["rule"] for id, entry in known.items()}
    verdicts = ask_theirs(python, build_results(find_data(venv), rules))
    lines = [
        f"  {json.dumps(id)}: {json.dumps({'rule': rules[id], 'verdict': verdict})}"
        for id, verdict in verdicts.items()
    ]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
