"""How similar two task descriptions are, from 0 to 1, in any script.

The libraries' own tokenizers give ROUGE-L 0 for two identical Chinese sentences and BLEU 0 for a
change of case, so both get ours. rouge-score's own search is slow: rapidfuzz counts the same
common words, and a test holds both to 1e-12.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version

from rapidfuzz.distance import LCSseq
from sacrebleu.metrics.bleu import BLEU

from agent_tuning.quality.word_overlap import split_tokens

TOKENIZER = "nfkc-casefold-cjk.1"  # raise the number with any change of `tokens`

ASCII_TOKEN = re.compile(r"\w+|[^\w\s]")  # what `tokens` finds in ASCII, three times as fast

TextScorer = Callable[[str, str], float]


Words = tuple[str, ...]

_BLEU = BLEU(tokenize="none", effective_order=True)


def rouge_l(gold: str, answer: str) -> float:
    """F1 of the longest common subsequence of words."""
    return _score_words(_rouge_l_of_words, gold, answer)


def bleu(gold: str, answer: str) -> float:
    """Sentence BLEU / 100."""
    return _score_words(_bleu_of_words, gold, answer)


def _rouge_l_of_words(gold: Words, answer: Words) -> float:
    return 2 * LCSseq.similarity(gold, answer) / (len(gold) + len(answer))


def _bleu_of_words(gold: Words, answer: Words) -> float:
    return float(_BLEU.sentence_score(" ".join(answer), [" ".join(gold)]).score) / 100


@lru_cache(maxsize=100_000)
def _split_words(text: str) -> Words:
    return tuple(ASCII_TOKEN.findall(text.lower()) if text.isascii() else split_tokens(text))


def _score_words(scorer: Callable[[Words, Words], float], gold: str, answer: str) -> float:
    """From 0 to 1: 1 for equal words, 0 if only one text has words, rounding errors cut off."""
    gold_words, answer_words = _split_words(gold), _split_words(answer)
    if gold_words == answer_words:
        return 1.0
    if not gold_words or not answer_words:
        return 0.0
    return min(1.0, max(0.0, scorer(gold_words, answer_words)))


TEXT_SCORERS: dict[str, TextScorer] = {"rouge_l": rouge_l, "bleu": bleu}
LIBRARIES = {"rouge_l": "rouge-score", "bleu": "sacrebleu"}


def scorer_signature(name: str) -> str:
    """Two texts are comparable only when scored under the same signature."""
    library = LIBRARIES[name]
    return f"{name}|tok:{TOKENIZER}|{library}:{version(library)}"
