"""The ranges of the numbers in params.yaml: every number of a section has one of these types.

msgspec checks them while it reads. So a wrong number, NaN and infinity among them, is one line with
file, line, field and range before any work starts. A test walks all sections: a number of a plain
type fails it.
"""

from typing import Annotated, TypeVar

from msgspec import Meta

T = TypeVar("T")

Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]  # what numpy and torch both take
Count = Annotated[int, Meta(ge=0, le=10_000_000)]
AtLeastOne = Annotated[int, Meta(ge=1, le=10_000_000)]
Tokens = Annotated[int, Meta(ge=1, le=10**15)]  # of a whole corpus
Threads = Annotated[int, Meta(ge=1, le=1024)]
Port = Annotated[int, Meta(ge=0, le=65535)]

Share = Annotated[float, Meta(ge=0, le=1)]
ShareAboveZero = Annotated[float, Meta(gt=0, le=1)]
ShareBelowOne = Annotated[float, Meta(ge=0, lt=1)]
Weight = Annotated[float, Meta(ge=0, le=1e6)]
AboveZero = Annotated[float, Meta(gt=0, le=1e6)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
SecondsAboveZero = Annotated[float, Meta(gt=0, le=86_400)]
Dollars = Annotated[float, Meta(ge=0, le=1e6)]

NonEmpty = Annotated[tuple[T, ...], Meta(min_length=1)]
