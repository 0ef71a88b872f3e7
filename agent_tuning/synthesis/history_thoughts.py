"""Histories as servers show them: earlier calls without their thoughts.

Some engines give a model's earlier thoughts back, as content beside its calls; others drop them. A
model that never saw a history without thoughts repeats its last call, again and again. So a share
of the trajectories is trained a decision at a time, each after a history without thoughts.
"""

import random
from collections.abc import Iterator

import msgspec

from agent_tuning.records import Assistant, Group, Trajectory, Turn, find_trained


def hide_earlier_thoughts(group: Group, share: float, seed: int) -> Group:
    """Rewrite a share (0-1) of a native group's trajectories of several decisions.

    Each becomes one trajectory a trained decision, `ID.1`, `ID.2` and so on, in which the turns
    before it have no thought and are context only. A trajectory's id alone decides, with the seed,
    so another trajectory changes nothing. Groups that are not native are left as they are.
    """
    if not group.prompt.native:
        return group
    trajectories = tuple(
        rewritten
        for trajectory in group.trajectories
        for rewritten in _rewrite(trajectory, share, seed)
    )
    return msgspec.structs.replace(group, trajectories=trajectories)


def drop_thoughts(group: Group) -> Group:
    """The group with no thought in any turn."""
    trajectories = tuple(
        msgspec.structs.replace(
            trajectory,
            turns=tuple(
                msgspec.structs.replace(turn, thought="") if isinstance(turn, Assistant) else turn
                for turn in trajectory.turns
            ),
        )
        for trajectory in group.trajectories
    )
    return msgspec.structs.replace(group, trajectories=trajectories)


def _rewrite(trajectory: Trajectory, share: float, seed: int) -> Iterator[Trajectory]:
    decisions = [position for position, _ in find_trained(trajectory.turns)]
    rng = random.Random(f"{seed}:{trajectory.id}:history")
    if len(decisions) < 2 or rng.random() >= share:
        yield trajectory
        return
    for number, position in enumerate(decisions, 1):
        turns = (*map(_forget, trajectory.turns[:position]), trajectory.turns[position])
        yield msgspec.structs.replace(trajectory, id=f"{trajectory.id}.{number}", turns=turns)


def _forget(turn: Turn) -> Turn:
    if not isinstance(turn, Assistant):
        return turn
    return msgspec.structs.replace(turn, thought="", trained=False)
