"""What tests ask of suites with native prompts."""

from collections.abc import Iterator

import jsonschema_rs
import msgspec

from agent_tuning.records import User
from agent_tuning.runtime import config
from benchmark.scoring.score_suites import ScoreConfig
from benchmark.tasks.suites import Suite

SETTINGS = config.load("scoring", ScoreConfig)


def rewrite_as_hermes(suite: Suite) -> Suite:
    """The suite in a format whose replies are read the same way for every model."""
    formats = {"template": "plain.en", "tool_format": "hermes", "reply_format": "hermes"}
    prompts = {
        id: msgspec.structs.replace(prompt, **formats) for id, prompt in suite.prompts.items()
    }
    return Suite(suite.name, suite.tools, prompts, suite.tasks)


def list_queries(suite: Suite) -> Iterator[str]:
    """Every user turn of every task."""
    for task in suite.tasks:
        yield from (turn.text for turn in task.turns if isinstance(turn, User))


def find_misfits(suite: Suite) -> list[str]:
    """Golds with a value, of all accepted ones, that the schema of their tool rejects."""
    misfits = []
    for task in suite.tasks:
        for call in (call for gold in task.golds for call in gold.calls):
            parameters = suite.tools[call.name].parameters
            if not set(parameters["required"]) <= call.arguments.keys():
                misfits.append(f"{task.id}: {call.name} lacks an argument")
            for name, accepted in call.arguments.items():
                is_valid = jsonschema_rs.Draft202012Validator(
                    parameters["properties"][name]
                ).is_valid
                misfits += [f"{task.id}: {name}" for value in accepted if not is_valid(value)]
    return misfits
