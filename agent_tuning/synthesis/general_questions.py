"""General questions that need no tool: data/general.yaml is one `GeneralQuestions`."""

from agent_tuning.catalogue.split import Split, take_split
from agent_tuning.records import Assistant, Language, Record, Trajectory, User


class GeneralQuestions(Record, frozen=True):
    """Questions per language. The last sixth of each list is held out of training."""

    questions: dict[Language, tuple[str, ...]]

    def asked(self, split: Split) -> list[Trajectory]:
        """Each question as a conversation whose reply is still empty."""
        return [
            Trajectory(
                f"general.{language}.{number:03}",
                (User(question), Assistant("no_call")),
                "general",
                language,
            )
            for language, questions in self.questions.items()
            for number, question in take_split(
                list(enumerate(questions)), split, len(questions) // 6
            )
        ]
