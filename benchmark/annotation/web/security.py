"""Protect the pages from strangers and from hostile text.

- Other users of the machine do not know the token in the URL.
- Other sites in the same browser fail the Host check (DNS rebinding), the Origin check and the
  form's own token.
- A model's text is escaped, isolated and made visible. The content policy keeps it from loading or
  running anything.
"""

import base64
import hashlib
import secrets
import unicodedata
from pathlib import Path

from flask import Flask, Response, abort, request
from markupsafe import Markup

from benchmark.annotation.web.access import Access

# The one script that stands in the pages: it must be there when no other one is.
WHOLE = (Path(__file__).parent / "whole.js").read_text(encoding="utf-8")
_WHOLE_HASH = base64.b64encode(hashlib.sha256(WHOLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'self'; script-src 'self' 'sha256-{_WHOLE_HASH}'; "
    "connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MAX_REQUEST_BYTES = 4 * 1024 * 1024


def protect(app: Flask, access: Access) -> None:
    form_token = access.form_token
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_REQUEST_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_REQUEST_BYTES,
        MAX_FORM_PARTS=10_000,
    )
    app.jinja_env.globals["form_token"] = form_token
    app.jinja_env.globals["whole_script"] = Markup(WHOLE)
    app.jinja_env.filters["visible"] = make_visible

    @app.before_request
    def check() -> None:
        port = request.environ["SERVER_PORT"]
        if request.host not in (f"127.0.0.1:{port}", f"localhost:{port}", *access.hosts):
            abort(421)
        if request.method == "POST":
            origin = request.headers.get("Origin", f"http://{request.host}")
            token = request.form.get("form_token", "")
            same_origin = origin == f"http://{request.host}"
            if not same_origin or not secrets.compare_digest(token.encode(), form_token.encode()):
                abort(403)

    @app.after_request
    def harden(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def make_visible(text: str) -> str:
    """Show control characters and direction marks, such as ANSI codes, by their code points."""
    return "".join(
        char if char in "\n\t" or char.isprintable() else _show_character(char) for char in text
    )


def _show_character(char: str) -> str:
    return " " if unicodedata.category(char) == "Zs" else f"⟨U+{ord(char):04X}⟩"
