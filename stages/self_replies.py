"""Let the base model answer general questions: training on its own replies keeps its ability.

reads   data/general.yaml      GeneralQuestions
        data/base/             the model before tuning
writes  data/general.jsonl     Group without tools
"""

from pathlib import Path

from agent_tuning.files import jsonl, yaml_records
from agent_tuning.inference.self_replies import (
    SelfRepliesConfig,
    generate_replies,
    group_replies,
)
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cpu import configure_threads
from agent_tuning.synthesis.general_questions import GeneralQuestions


def main(questions: Path, base: Path, general: Path) -> None:
    p = config.load("self_replies", SelfRepliesConfig)
    configure_threads(p.threads)
    training_questions = yaml_records.read(questions, GeneralQuestions).asked("train")
    replies = generate_replies(training_questions, base, p)
    jsonl.write(general, group_replies(replies, p.group))


if __name__ == "__main__":
    cli.run(main)
