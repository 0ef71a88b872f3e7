"""General questions that need no tool: data/general.yaml is one `GeneralQuestions`."""

from agent_tuning.catalogue.split import Split
from agent_tuning.records import Assistant, Language, Record, Trajectory, User


class GeneralQuestions(Record, frozen=True):
    """Questions by language: those of training, and those that only a benchmark asks."""

    training: dict[Language, tuple[str, ...]]
    held_out: dict[Language, tuple[str, ...]]

    def asked(self, split: Split) -> list[Trajectory]:
        """Each question as a conversation whose reply is still empty."""
        return [
            Trajectory(
                f"general.{split}.{language}.{number:03}",
                (User(question), Assistant("no_call")),
                "general",
                language,
            )
            for language, questions in (
                self.training if split == "train" else self.held_out
            ).items()
            for number, question in enumerate(questions)
        ]
