"""Near-duplicates: MinHash finds candidates, and the exact overlap of word pairs decides."""

from collections.abc import Iterator

from rensa import RMinHash, RMinHashLSH

from agent_tuning.quality import word_overlap

SHINGLE_TOKENS = 2  # longer shingles would miss a query that only adds a polite word
PERMUTATIONS, BANDS = 96, 32  # misses one of seventy pairs that share half, none that share 0.7
SEED = 1


class NearDuplicateIndex:
    """Remembers texts and finds similar ones. Only texts with the same `about` are compared.

    `threshold` is the overlap (0-1) from which two texts are near-duplicates.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._index = RMinHashLSH(threshold, PERMUTATIONS, BANDS)
        self._known: list[tuple[str, str]] = []

    def add(self, text: str, about: str = "") -> None:
        """Remember a text. Texts are numbered from 0."""
        self._index.insert(len(self._known), _hash_shingles(text, about))
        self._known.append((text, about))

    def find_similar(self, text: str, about: str = "") -> Iterator[int]:
        """The numbers of the near-duplicates of a text, in order."""
        for number in sorted(self._index.query(_hash_shingles(text, about))):
            known_text, known_about = self._known[number]
            if known_about == about and jaccard_overlap(known_text, text) >= self.threshold:
                yield number


def normalize_tokens(text: str) -> tuple[str, ...]:
    """Tokens without case, punctuation or width. Each CJK character is one token."""
    tokens = word_overlap.split_tokens(text.replace("_", " "))
    return tuple(token for token in tokens if token[0].isalnum())


def jaccard_overlap(text: str, other: str) -> float:
    """The shared shingles among all shingles of both (Jaccard): 0 for none, 1 for the same."""
    shingles, other_shingles = split_shingles(text), split_shingles(other)
    return len(shingles & other_shingles) / len(shingles | other_shingles)


def split_shingles(text: str) -> set[str]:
    """Runs of SHINGLE_TOKENS tokens. A shorter text is one shingle."""
    tokens = normalize_tokens(text)
    starts = range(max(1, len(tokens) - SHINGLE_TOKENS + 1))
    return {" ".join(tokens[start : start + SHINGLE_TOKENS]) for start in starts}


def _hash_shingles(text: str, about: str) -> RMinHash:
    hashes = RMinHash(PERMUTATIONS, SEED)
    hashes.update(sorted(f"{about}\n{shingle}" for shingle in split_shingles(text)))
    return hashes
