"""Texts that say the same thing or nearly so: MinHash finds candidates, exact overlap decides."""

from collections.abc import Iterator

from rensa import RMinHash, RMinHashLSH

from agent_tuning.quality import word_overlap

SHINGLE_TOKENS = 2  # tokens in a row; longer ones would miss a query with a polite word before it
PERMUTATIONS, BANDS = 96, 32  # misses one of seventy pairs that share half, none that share 0.7
SEED = 1


class NearDuplicateIndex:
    """Remembers texts. Only those `about` the same thing are compared."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._index = RMinHashLSH(threshold, PERMUTATIONS, BANDS)
        self._known: list[tuple[str, str]] = []

    def add(self, text: str, about: str = "") -> None:
        """The first one gets number 0."""
        self._index.insert(len(self._known), _sketch(text, about))
        self._known.append((text, about))

    def find_similar(self, text: str, about: str = "") -> Iterator[int]:
        """The numbers of texts whose overlap reaches the threshold (0-1)."""
        for number in sorted(self._index.query(_sketch(text, about))):
            known, subject = self._known[number]
            if subject == about and jaccard_overlap(known, text) >= self.threshold:
                yield number


def normalize_tokens(text: str) -> tuple[str, ...]:
    """Tokens without case, punctuation or width; each CJK character is one."""
    found = word_overlap.split_tokens(text.replace("_", " "))
    return tuple(token for token in found if token[0].isalnum())


def jaccard_overlap(one: str, other: str) -> float:
    """Shared shingles among all of both (Jaccard): 0 for none, 1 for the same."""
    mine, theirs = split_shingles(one), split_shingles(other)
    return len(mine & theirs) / len(mine | theirs)


def split_shingles(text: str) -> set[str]:
    """Runs of tokens; a text too short for one is a run by itself."""
    tokens = normalize_tokens(text)
    starts = range(max(1, len(tokens) - SHINGLE_TOKENS + 1))
    return {" ".join(tokens[start : start + SHINGLE_TOKENS]) for start in starts}


def _sketch(text: str, about: str) -> RMinHash:
    sketch = RMinHash(PERMUTATIONS, SEED)
    sketch.update(sorted(f"{about}\n{shingle}" for shingle in split_shingles(text)))
    return sketch
