"""The Flask app of the pages: it asks for a name, and then shows the queue or the sheet."""

import hashlib
import json
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Flask,
    abort,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    send_from_directory,
    url_for,
)
from jinja2 import StrictUndefined
from markupsafe import Markup, escape
from werkzeug.wrappers import Response

from agent_tuning.records import Json
from benchmark.annotation.review.value_text import describe_type
from benchmark.annotation.web import errors, guidelines, security, wording
from benchmark.annotation.web.access import Access

STATIC = Path(__file__).parent / "static"
# Browsers keep a version for good: a page then needs the server once, not once for every file.
STATIC_VERSION = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(STATIC.iterdir()))
).hexdigest()[:16]
KEPT_BY_BROWSERS = "private, max-age=31536000, immutable"


def create_app(pages: Blueprint, title: str, access: Access | None = None) -> tuple[Flask, str]:
    """The app, and the secret that its URLs start with if there is no list of people."""
    access = access or Access()
    app = Flask(__name__, static_folder=None)
    app.url_map.strict_slashes = False  # no redirect tells a stranger what an address looks like
    _prepare_templates(app, title)
    security.protect(app, access)
    errors.register(app)
    app.before_request(wording.choose_language)
    app.after_request(_finish)

    @app.url_value_preprocessor
    def enter(_: str | None, values: dict[str, Any] | None) -> None:
        """Turn strangers away. The views get the person's name as events have it."""
        if values is None:
            return
        token, who = values.pop("token", ""), values.get("who")
        if not access.is_open(token):
            abort(404)
        g.token = token
        if who is not None:
            g.who = values["who"] = access.enter(token, who) or abort(404)

    @app.url_defaults
    def stay(endpoint: str, values: dict[str, Any]) -> None:
        if app.url_map.is_endpoint_expecting(endpoint, "token") and "token" in g:
            values.setdefault("token", g.token)
        if endpoint == "static":
            values.setdefault("version", STATIC_VERSION)

    @app.get("/<token>/static/<version>/<path:filename>")
    def static(version: str, filename: str) -> Response:
        if version != STATIC_VERSION:
            abort(404)
        response = send_from_directory(STATIC, filename)
        response.headers["Cache-Control"] = KEPT_BY_BROWSERS
        return response

    @app.get("/<token>/")
    def welcome() -> str | Response:
        typed = request.args.get("who", "").strip()
        who = access.people.get(g.token) or access.enter(g.token, typed)
        if who:
            return redirect(url_for(f"{pages.name}.start", who=who))
        return render_template("welcome.html", who=typed)

    app.register_blueprint(pages, url_prefix="/<token>/<who>")
    return app, access.token


def _prepare_templates(app: Flask, title: str) -> None:
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals |= {
        "title": title,
        "_": wording.translate,
        "ui_language": wording.current_language,
        "page_words": wording.page_words,
        "switch_language": wording.switch_language,
        "guidelines": guidelines.render,
    }
    app.jinja_env.filters |= {
        "json": format_json,
        "isolate": isolate_text,
        "schema_type": describe_type,
    }


def _finish(response: Response) -> Response:
    """Remember the language. A page that sent its own form is told where to go next."""
    if request.args.get("ui") in wording.LANGUAGES:
        response.set_cookie(wording.COOKIE, g.language, samesite="Strict", httponly=True)
    if errors.wants_json() and response.status_code in (302, 303):
        return jsonify(to=response.headers["Location"])
    return response


def format_json(value: Json, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def isolate_text(text: str) -> Markup:
    """Escape a user's or a model's text, and keep its direction marks from the text around it."""
    return Markup("<bdi>{}</bdi>").format(escape(security.make_visible(text)))
