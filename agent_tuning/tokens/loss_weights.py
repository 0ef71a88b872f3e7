"""How much a trained token counts in the loss."""

from collections.abc import Sequence

from agent_tuning.records import Assistant, Group, Record, Trajectory
from agent_tuning.runtime.ranges import Count, Weight
from agent_tuning.tokens.chat_template import ChatTokenizer
from agent_tuning.tokens.encoded import Part
from agent_tuning.tokens.packing import WeightedTokens


class LossWeights(Record, frozen=True):
    """Weights of trained tokens, where any other one has 1. `negative` multiplies the others.

    `opening`: of the first `opening_tokens` tokens of a decision, which say what it will be.
    """

    opening: Weight
    opening_tokens: Count
    thought: Weight
    name: Weight
    arguments: Weight
    negative: Weight

    def weigh_token(self, part: Part, opening: bool) -> float:
        """A name has its weight wherever it is; the opening comes before the other parts."""
        if part == "name":
            return self.name
        if opening:
            return self.opening
        return {"": 1.0, "thought": self.thought, "arguments": self.arguments}[part]

    def weigh_branch(
        self, trained: Sequence[bool], parts: Sequence[Part], *, has_tools: bool, is_negative: bool
    ) -> list[float]:
        """The weight of every token of a branch, 0 for tokens that are not trained."""
        factor = self.negative if is_negative else 1.0
        weights: list[float] = []
        trained_before = 0  # trained tokens of this decision so far
        for is_trained, part in zip(trained, parts, strict=True):
            opening = has_tools and trained_before < self.opening_tokens
            trained_before = trained_before + 1 if is_trained else 0
            weights.append(factor * self.weigh_token(part, opening) if is_trained else 0.0)
        return weights


def encode_trajectory(
    trajectory: Trajectory, group: Group, chat: ChatTokenizer, weights: LossWeights
) -> WeightedTokens:
    """The tokens of a trajectory, after the prompt of its group, with their weights.

    It is a hard negative if the group has tools and its first decision is not a call.
    """
    ids, trained, parts = chat.branch(trajectory.turns, group.prompt)
    first = next(turn for turn in trajectory.turns if isinstance(turn, Assistant))
    has_tools = bool(group.tools)
    is_negative = has_tools and first.decision != "call"
    return WeightedTokens(
        ids, weights.weigh_branch(trained, parts, has_tools=has_tools, is_negative=is_negative)
    )
