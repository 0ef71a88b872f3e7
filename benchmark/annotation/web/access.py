"""Who may come in, and by which address.

Without a list of names there is one secret address: whoever has it says a name. With a list,
everybody has a personal address, and is nobody else. Addresses follow from a secret, so they stay
the same for as long as it does.
"""

import hashlib
import hmac
import os
import secrets
import unicodedata
from collections.abc import Callable, Iterable

from agent_tuning.records import BadInput, Record
from benchmark.annotation.web.events import PERSON_NAME

SECRET = "DESK_SECRET"
MIN_SECRET_CHARS = 16
LOOPBACK = ("localhost:", "127.0.0.1:")


class DeskConfig(Record, frozen=True):
    """The section `desk` of params.yaml, where each key is explained."""

    names: tuple[str, ...]
    hosts: tuple[str, ...]

    def __post_init__(self) -> None:
        folded = [fold_name(name) for name in self.names]
        for number, name in enumerate(self.names):
            if not PERSON_NAME.fullmatch(name):
                raise ValueError(f"names: {name!r} is no name: letters, digits, spaces, . and -")
            if folded.index(folded[number]) != number:
                raise ValueError(f"names: {name!r} is there twice")


class Access:
    """Addresses and names. `list_known` gives the names that have been used so far."""

    def __init__(
        self,
        names: Iterable[str] = (),
        hosts: Iterable[str] = (),
        secret: str = "",
        list_known: Callable[[], Iterable[str]] = lambda: (),
    ) -> None:
        self.secret = secret or secrets.token_urlsafe(24)
        listed = frozenset(hosts)
        # The near end of a tunnel has two names; the links that are printed have the number.
        tunnels = {host.removeprefix(own) for own in LOOPBACK for host in listed if own in host}
        self.hosts = listed | {own + port for own in LOOPBACK for port in tunnels if port.isdigit()}
        self.form_token = self._derive("form")
        self.token = "" if names else self._derive("desk")  # of everybody, without a list
        self.people = {self._derive("person", name): name for name in names}
        self._list_known = list_known
        self._entered: dict[str, str] = {}  # folded name -> as it was first written

    @property
    def links(self) -> dict[str, str]:
        """The path of every address, by name; one without a name if there is no list."""
        personal = {name: f"/{token}/" for token, name in self.people.items()}
        return personal or {"": f"/{self.token}/"}

    def is_open(self, token: str) -> bool:
        return token in self.people or (
            self.token != "" and secrets.compare_digest(token.encode(), self.token.encode())
        )

    def enter(self, token: str, who: str) -> str | None:
        """The person's name as it is written in events; None if this address is not theirs.

        Capitals, widths and repeated spaces make no other person.
        """
        folded, listed = fold_name(who), self.people.get(token)
        if listed and fold_name(listed) != folded:
            return None
        if not self.is_open(token) or not PERSON_NAME.fullmatch(who):
            return None
        known = {fold_name(name): name for name in self._list_known()}
        return known.get(folded) or listed or self._entered.setdefault(folded, who)

    def _derive(self, *parts: str) -> str:
        text = "\0".join(parts).encode()
        return hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()[:32]


def fold_name(name: str) -> str:
    """Equal for two spellings of one name."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def build_access(p: DeskConfig, port: int, list_known: Callable[[], Iterable[str]]) -> Access:
    """The access that the configuration gives. Raises BadInput if it would not last."""
    secret = os.environ.get(SECRET, "")
    if p.names and len(secret) < MIN_SECRET_CHARS:
        raise BadInput(
            f"{SECRET}: expected {MIN_SECRET_CHARS} characters or more, which the addresses of "
            f"desk.names follow from; keep one: export {SECRET}=$(openssl rand -hex 16)"
        )
    if p.names and not port:
        raise BadInput(
            "params.yaml: port: a team needs a fixed one, such as 8021, beside desk.names"
        )
    return Access(p.names, p.hosts, secret, list_known)
