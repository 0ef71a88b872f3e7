"""Everyday questions that need no tool: data/general.yaml is one Everyday."""

from agent_tuning.catalogue.grammar import Part, part
from agent_tuning.records import Assistant, Language, Record, Trajectory, User


class Everyday(Record, frozen=True):
    """Questions per language; the last sixth of them is held out of training."""

    questions: dict[Language, tuple[str, ...]]

    def asked(self, which: Part) -> list[Trajectory]:
        """Each question as a conversation whose reply is still empty."""
        return [
            Trajectory(
                f"general.{language}.{number:03}",
                (User(question), Assistant("no_call")),
                "general",
                language,
            )
            for language, questions in self.questions.items()
            for number, question in part(list(enumerate(questions)), which, len(questions) // 6)
        ]
