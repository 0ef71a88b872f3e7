"""How alike two task descriptions are, from 0 to 1, in any script.

The libraries' own tokenizers give ROUGE-L 0 for two identical Chinese sentences and BLEU 0 for a
change of case, so both get ours.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU

from trajectory.lexical import tokens

TOKENIZER = "nfkc-casefold-cjk.1"  # raise the number with any change of `tokens`

TextScorer = Callable[[str, str], float]


class _Tokenizer:
    def tokenize(self, text: str) -> list[str]:
        return text.split()


_ROUGE = RougeScorer(["rougeL"], tokenizer=_Tokenizer())
_BLEU = BLEU(tokenize="none", effective_order=True)


def rouge_l(gold: str, answer: str) -> float:
    """F1 of the longest common subsequence of words."""
    return _guarded(lambda a, b: float(_ROUGE.score(a, b)["rougeL"].fmeasure), gold, answer)


def bleu(gold: str, answer: str) -> float:
    """Sentence BLEU / 100."""
    return _guarded(lambda a, b: _BLEU.sentence_score(b, [a]).score / 100, gold, answer)


@lru_cache(maxsize=100_000)
def _words(text: str) -> str:
    return " ".join(tokens(text))


def _guarded(scorer: TextScorer, gold: str, answer: str) -> float:
    """Equal words are 1, none against some are 0, and nothing is 100.00000000000004."""
    words, said = _words(gold), _words(answer)
    if words == said:
        return 1.0
    if not words or not said:
        return 0.0
    return min(1.0, max(0.0, scorer(words, said)))


TEXT_SCORERS: dict[str, TextScorer] = {"rouge_l": rouge_l, "bleu": bleu}
LIBRARIES = {"rouge_l": "rouge-score", "bleu": "sacrebleu"}


def signature(name: str) -> str:
    """Two texts are comparable only when scored under the same signature."""
    library = LIBRARIES[name]
    return f"{name}|tok:{TOKENIZER}|{library}:{version(library)}"
