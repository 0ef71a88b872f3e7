"""Calls between brackets in a text: `[Market Trends(country="us", from="2024"), Other()]`.

Names may have blanks, and arguments may have names that Python reserves, so Python cannot parse
them. Values are those of Python or JSON.
"""

import re
from collections.abc import Collection

from agent_tuning.converters import python_literals
from agent_tuning.files import strict_json
from agent_tuning.records import Call, Json

BRACKET = re.compile(r"\[\s*")
OPENING = re.compile(r"\s*\(")
NAME = re.compile(r"[^\[\](){}=,\"'\n]+(?=\()")
CLOSING = {"(": ")", "[": "]", "{": "}"}


def find(text: str, names: Collection[str]) -> int | None:
    """Where calls begin: at a bracket before a known name, or at the first if all is one list."""
    longest = sorted(names, key=len, reverse=True)
    for start in BRACKET.finditer(text):
        if _match_known(text, start.end(), longest):
            return start.start()
    first = BRACKET.match(text)
    whole = first and text.endswith("]") and NAME.match(text, first.end())
    return 0 if whole else None


def read(text: str, names: Collection[str], place: str) -> list[Call]:
    """The calls of a text that is nothing else. Raises ValueError with place and problem."""
    try:
        return _CallReader(text, names).read()
    except ValueError as error:
        shown = strict_json.shorten(text)
        raise ValueError(
            f'{place}: expected [Name(key="value")], found {shown}: {error}'
        ) from error


def _match_known(text: str, at: int, longest: Collection[str]) -> str:
    """The name that is called here, if it is known; or nothing."""
    for name in longest:
        if text.startswith(name, at) and OPENING.match(text, at + len(name)):
            return name
    return ""


class _CallReader:
    """Reads a text from its beginning to its end."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        self.text = text
        self.names = sorted(names, key=len, reverse=True)
        self.at = 0

    def read(self) -> list[Call]:
        self._expect("[")
        calls = [self._read_call()]
        while self._next() == ",":
            self.at += 1
            calls.append(self._read_call())
        self._expect("]")
        if self.text[self.at :].strip():
            raise ValueError("text after the calls")
        return calls

    def _next(self) -> str:
        """The next character that is no blank."""
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def _expect(self, character: str) -> None:
        if self._next() != character:
            raise ValueError(f"expected {character} at character {self.at + 1}")
        self.at += 1

    def _read_call(self) -> Call:
        self._next()
        name = _match_known(self.text, self.at, self.names)
        if not name:
            match = NAME.match(self.text, self.at)
            name = match.group() if match else ""
        self.at += len(name)
        self._expect("(")
        arguments: dict[str, Json] = {}
        while self._next() != ")":
            key, value = self._read_argument()
            if key in arguments:
                raise ValueError(f"{key} appears twice")
            arguments[key] = value
            if self._next() != ",":
                break
            self.at += 1
        self._expect(")")
        if not name.strip():
            raise ValueError("a call without a name")
        return Call(name.strip(), arguments)

    def _read_argument(self) -> tuple[str, Json]:
        equals = self.text.find("=", self.at)
        key = self.text[self.at : max(equals, self.at)].strip()
        if not key or any(character in "()[]{},\"'" for character in key):
            raise ValueError(f"expected key=value at character {self.at + 1}")
        self.at = start = equals + 1
        self._skip_value()
        return key, python_literals.read(self.text[start : self.at], key)

    def _skip_value(self) -> None:
        """Go to the comma or the parenthesis that ends a value."""
        open_parts: list[str] = []
        quote = ""
        while self.at < len(self.text):
            character = self.text[self.at]
            if quote:
                if character == "\\":
                    self.at += 1
                elif character == quote:
                    quote = ""
            elif character in "\"'":
                quote = character
            elif character in CLOSING:
                open_parts.append(CLOSING[character])
            elif open_parts and character == open_parts[-1]:
                open_parts.pop()
            elif not open_parts and character in ",)":
                return
            self.at += 1
        raise ValueError("a value that does not end")
