"""The suite that docs/suites.md writes by hand, and a larger one made of its tasks."""

import json
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/suites.md"
NUMBER = "17"  # stands in every task of the page


def read_lines() -> list[str]:
    section = PAGE.read_text().partition("## Write a suite by hand\n")[2]
    block = re.search(r"```json\n(.*?)```", section, re.DOTALL)
    assert block
    return block.group(1).splitlines()


def write(folder: Path, copies: int) -> int:
    """Write the suite with so many copies of every task, each with its own number."""
    tools, prompts, tasks = [], [], []
    for line in read_lines():
        fields = json.loads(line)
        if "parameters" in fields:
            tools.append(line)
        elif "template" in fields:
            prompts.append(line)
        else:
            tasks += [line.replace(NUMBER, str(int(NUMBER) + copy)) for copy in range(copies)]
    folder.mkdir(parents=True)
    for name, lines in (("tools", tools), ("prompts", prompts), ("tasks", tasks)):
        (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return len(tasks)
