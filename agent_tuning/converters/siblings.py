"""Which tools of a file are easily mistaken for each other: those that share most words.

All tools are compared with all others at once, by a sparse product: a large API has thousands.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from agent_tuning.quality import word_overlap
from agent_tuning.quality.word_overlap import Matrix
from agent_tuning.records import Tool

MAX_SIBLINGS = 3  # of one tool
ROWS = 256  # tools compared with all others at a time
TIE = 1e-9  # likenesses that a product of floats cannot tell apart


def find_siblings(tools: Sequence[Tool]) -> list[list[str]]:
    """For every tool the names of those that share most words with it, the nearest first."""
    measure = word_overlap.WordOverlap(tools)
    texts = [f"{tool.name} {tool.description}" for tool in tools]
    siblings: list[list[str]] = []
    for number, candidates in enumerate(_choose_candidates(measure, tools, texts)):
        likeness = {
            tools[other].name: measure.overlap(texts[number], tools[other]) for other in candidates
        }
        nearest = sorted(likeness, key=lambda name: (-likeness[name], name))[:MAX_SIBLINGS]
        siblings.append([name for name in nearest if likeness[name] > 0])
    return siblings


def _choose_candidates(
    measure: word_overlap.WordOverlap, tools: Sequence[Tool], texts: Sequence[str]
) -> Iterator[list[int]]:
    """For every tool the few that may be nearest, as numbers."""
    said = [word_overlap.split_words(text) for text in texts]
    words = [
        word_overlap.split_words(tool.name) | word_overlap.split_words(tool.description)
        for tool in tools
    ]
    column = {word: n for n, word in enumerate(sorted(set().union(*said, *words)))}
    weight = np.array([measure.idf.get(word, measure.unknown_idf) ** 2 for word in column])
    of_tools = word_overlap.build_incidence(words, column)
    of_texts = word_overlap.build_incidence(said, column).astype(float) * weight
    norms = np.sqrt([math.fsum(weight[column[word]] for word in bag) for bag in words])
    for start in range(0, len(tools), ROWS):
        shared: Matrix = (of_texts[start : start + ROWS] @ of_tools.T).toarray()
        likeness = np.divide(shared, norms, out=np.zeros(shared.shape), where=norms > 0)
        for offset, row in enumerate(likeness):
            row[start + offset] = 0.0  # no tool is its own sibling
            most = min(MAX_SIBLINGS, len(row))
            least = np.partition(row, -most)[-most]
            yield np.flatnonzero((row >= least * (1 - TIE)) & (row > 0)).tolist()
