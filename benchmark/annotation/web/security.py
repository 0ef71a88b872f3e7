"""What keeps strangers and hostile text out of the pages.

Other users of the machine do not know the token in the URL; other sites in the same browser fail
the Host check (DNS rebinding), the Origin check and the form's own token; text out of a model is
escaped, isolated and made visible, and nothing that it says can load or run.
"""

import secrets
import unicodedata

from flask import Flask, Response, abort, request

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MAX_REQUEST_BYTES = 4 * 1024 * 1024  # bytes of a request


def protect(app: Flask) -> None:
    form_token = secrets.token_urlsafe(24)
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_REQUEST_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_REQUEST_BYTES,
        MAX_FORM_PARTS=10_000,
    )
    app.jinja_env.globals["form_token"] = form_token
    app.jinja_env.filters["visible"] = make_visible

    @app.before_request
    def check() -> None:
        here = {f"{name}:{request.environ['SERVER_PORT']}" for name in ("127.0.0.1", "localhost")}
        if request.host not in here:
            abort(421)
        if request.method == "POST":
            origin = request.headers.get("Origin", f"http://{request.host}")
            given = request.form.get("form_token", "")
            ours = origin == f"http://{request.host}"
            if not ours or not secrets.compare_digest(given.encode(), form_token.encode()):
                abort(403)

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response


def make_visible(text: str) -> str:
    """Control and direction marks as something one can see: ANSI codes, right-to-left overrides."""
    return "".join(char if char in "\n\t" or char.isprintable() else _shown(char) for char in text)


def _shown(char: str) -> str:
    return " " if unicodedata.category(char) == "Zs" else f"⟨U+{ord(char):04X}⟩"
