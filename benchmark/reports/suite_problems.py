"""What is wrong in a suite that its files are read without: a task that nobody could answer."""

import re
from collections.abc import Iterator

import msgspec

from agent_tuning.catalogue import parameters, schema
from agent_tuning.catalogue.schema_references import References, SchemaProblem
from agent_tuning.prompts import system_prompt
from agent_tuning.records import NATIVE, Assistant, Tool, User
from benchmark.engines.answer import Answer
from benchmark.scoring.degenerate import DEGENERATE
from benchmark.scoring.score_suites import ScoreConfig
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import score_answer
from benchmark.tasks.suites import REFERENCE, GoldCall, Suite, Task

CHINESE = re.compile(r"[\u3400-\u9fff]")
CHINESE_SHARE = 0.3  # of the letters of a query; an English one may name a Chinese place


def find_problems(suite: Suite, settings: ScoreConfig) -> Iterator[str]:
    """One line a problem; none if every task can be answered, and every gold can be met."""
    if not suite.tasks:
        yield "tasks.jsonl: no tasks"
    yield from _find_prompt_problems(suite)
    invalid = dict(_find_invalid_schemas(suite))
    yield from (f"tool {key}: {problem}" for key, problem in invalid.items())
    broken = {suite.tools[key].name for key in invalid}
    first_ids: dict[bytes, str] = {}
    for task in suite.tasks:
        yield from (f"{task.id}: {problem}" for problem in _find_turn_problems(suite, task))
        prompt = msgspec.structs.replace(suite.prompts[task.prompt], id="")
        first = first_ids.setdefault(msgspec.json.encode((prompt, task.turns)), task.id)
        if first != task.id:
            yield f"{task.id}: turns: the same as those of {first!r}, under the same prompt"
        tools = {tool.name: tool for tool in suite.prompt(task).tools}
        for call in (call for gold in task.golds for call in gold.calls):
            if call.name not in broken:
                misfits = _find_misfits(call, tools[call.name])
                yield from (f"{task.id}: golds: {text}" for text in misfits)
        yield from _find_unreachable(suite, task, settings)


def _find_prompt_problems(suite: Suite) -> Iterator[str]:
    for prompt in suite.prompts.values():
        names = system_prompt.template_names(prompt.language)
        if prompt.template not in (*names, NATIVE):
            available = ", ".join((*names, NATIVE))
            yield f"{prompt.id}: template: unknown {prompt.template!r}; available: {available}"
        if not prompt.tools:
            yield f"{prompt.id}: tools: expected at least one"


def _find_invalid_schemas(suite: Suite) -> Iterator[tuple[str, str]]:
    """The key of each tool whose parameters no call could be checked against, and why."""
    for key, tool in suite.tools.items():
        if tool.parameters.get("type") != "object":
            yield key, "parameters: expected a JSON Schema of type object"
        elif problem := _find_schema_problem(tool):
            yield key, problem


def _find_schema_problem(tool: Tool) -> str | None:
    """Why nobody can answer with this tool, or read it in a tool list; None if they can."""
    try:
        parameters.write_out(tool.parameters, "parameters")
        if References(tool.parameters).write_out(tool.parameters, "") is not tool.parameters:
            return "parameters: a $ref: write out what it names, because no tool list follows it"
    except SchemaProblem as error:
        return str(error)
    return None


def _find_turn_problems(suite: Suite, task: Task) -> Iterator[str]:
    if "/" not in task.id:
        yield f"id: expected the suite's name before it, such as {suite.name}/{task.id}"
    if not isinstance(task.turns[0], User):
        yield "turns: expected the user's turn first"
    if isinstance(task.turns[-1], Assistant):
        yield "turns: expected to end with the user's turn or a tool's result, not the model's"
    for turn in task.turns:
        if isinstance(turn, User):
            if not turn.text.strip():
                yield "turns: a query without text"
            letters = [char for char in turn.text if char.isalpha()]
            chinese = len(CHINESE.findall(turn.text))
            if suite.prompt(task).language == "en" and chinese > CHINESE_SHARE * len(letters):
                yield "turns: a Chinese query under a prompt of the language en"


def _find_misfits(call: GoldCall, tool: Tool) -> Iterator[str]:
    properties = tool.parameters.get("properties", {})
    for name in sorted(set(tool.parameters.get("required", ())) - call.required):
        yield f"the required argument {name!r} of {call.name} is missing or optional"
    for name, accepted in call.arguments.items():
        if name not in properties:
            yield f"{call.name} has no argument {name!r}"
            continue
        fits = schema.build_validator(properties[name]).is_valid
        # a null written out for a default is what some suites accept
        plain = (v for v in accepted if v is not None and not REFERENCE.search(str(v)))
        if misfit := [value for value in plain if not fits(value)]:
            yield f"{call.name}: {name}: {misfit[0]!r} does not fit the tool's schema"


def _find_unreachable(suite: Suite, task: Task, settings: ScoreConfig) -> Iterator[str]:
    """The gold, written as a model would write it, must get every score in full."""
    prompt, text_scorer = suite.prompt(task), TEXT_SCORERS[settings.text_scorer]
    answer = Answer(task.id, DEGENERATE["gold"](task, prompt))
    line = score_answer(suite.name, "gold", task, prompt, answer, text_scorer, settings.lam)
    for name in ("em", "call_exact_match", "text"):
        if getattr(line.score, name) not in (None, 1):
            reason = line.reason or line.decision
            yield f"{task.id}: golds: the gold itself scores {name} below 1: {reason}"
