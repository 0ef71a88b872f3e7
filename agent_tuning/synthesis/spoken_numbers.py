"""Which numbers an English text names, in digits or in words: 30, thirty, two dozen, half an hour.

It is for checks that a number was said at all, so it errs on the side of finding too many.
"""

import re
from collections.abc import Iterator, Sequence

_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
UNITS = {word: number for number, word in enumerate(_SMALL)}
TENS = {word: 10 * number for number, word in enumerate(_TENS, 2)}
MULTIPLIERS = {"dozen": 12, "score": 20, "hundred": 100, "thousand": 1000, "k": 1000}
OTHERS = {"a": 1, "an": 1, "single": 1, "couple": 2, "pair": 2, "both": 2, "fiver": 5, "tenner": 10}
PARTS_OF_AN_HOUR = (  # an hour is sixty of the minutes that tools ask for
    (r"three[- ]quarters? of an hour", 45),
    (r"\bhour and a half", 90),
    (r"\bhalf[- ](?:an )?hour", 30),
    (r"\bquarter (?:of an )?hour", 15),
    (r"\b(?:an|one|full|whole|1) hour", 60),
)
CURRENCIES = {"pounds", "pound", "euros", "euro", "dollars", "dollar", "quid"}
TOKEN = re.compile(r"\d+(?:\.\d+)?|[a-z]+")
LONGEST_NUMBER = 6  # words: "one hundred and twenty five"


def find_numbers(text: str) -> set[float]:
    """Every number that the text may mean: of "twenty-five" 25, and 20 and 5 too."""
    folded = re.sub(r"(?<=\d),(?=\d{3})", "", text.casefold())
    tokens = [token for token in TOKEN.findall(folded) if token not in CURRENCIES]
    found: set[float] = {
        minutes for pattern, minutes in PARTS_OF_AN_HOUR if re.search(pattern, folded)
    }
    for start in range(len(tokens)):
        found.update(_read_numbers(tokens[start : start + LONGEST_NUMBER]))
    return found


def write_in_words(number: int) -> str:
    """The number below a hundred as a word; empty for all others."""
    if 0 <= number < len(_SMALL):
        return _SMALL[number]
    tens, units = divmod(number, 10)
    if not 2 <= tens < 10:
        return ""
    return f"{_TENS[tens - 2]}-{_SMALL[units]}" if units else _TENS[tens - 2]


def _read_numbers(tokens: Sequence[str]) -> Iterator[float]:
    """The numbers that begin with the first token, the shortest first."""
    total = 0.0
    for position, token in enumerate(tokens):
        if re.match(r"\d", token):
            total = total + float(token)
        elif token in UNITS or token in TENS:
            spoken = UNITS.get(token) or TENS.get(token, 0)
            if position and tokens[position - 1] in {*UNITS, *TENS}:
                yield total + spoken / 100  # a price: "nine fifty" is 9.5
            total += spoken
        elif token in MULTIPLIERS:
            total = (total or 1) * MULTIPLIERS[token]
        elif token == "half":
            total = total + 0.5 if position else 0.5
        elif token in OTHERS:
            if position and tokens[position - 1] != "and" and tokens[position - 1] != "half":
                return
            total += 0 if position else OTHERS[token]
            if position:
                continue  # "and a half", "half a dozen"
        elif token != "and" or not position:
            return
        yield total
