"""The Flask app of the pages: it asks for a name, and then shows the queue or the sheet."""

import json
import secrets
from typing import Any

from flask import Blueprint, Flask, abort, redirect, render_template, request, url_for
from jinja2 import StrictUndefined
from markupsafe import Markup, escape
from werkzeug.wrappers import Response

from agent_tuning.records import Json
from benchmark.annotation.review.value_text import describe_type
from benchmark.annotation.web import security
from benchmark.annotation.web.events import PERSON_NAME


def create_app(pages: Blueprint, title: str) -> tuple[Flask, str]:
    """The app, and the secret that all its URLs start with."""
    token = secrets.token_urlsafe(24)
    app = Flask(__name__, static_url_path=f"/{token}/static")
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["title"] = title
    app.jinja_env.filters["json"] = format_json
    app.jinja_env.filters["isolate"] = isolate_text
    app.jinja_env.filters["schema_type"] = describe_type
    security.protect(app)

    @app.get(f"/{token}/")
    def welcome() -> str | Response:
        who = request.args.get("who", "").strip()
        if PERSON_NAME.fullmatch(who):
            return redirect(url_for(f"{pages.name}.start", who=who))
        return render_template("welcome.html", who=who)

    @pages.url_value_preprocessor
    def check_name(_: str | None, values: dict[str, Any] | None) -> None:
        if values and not PERSON_NAME.fullmatch(values.get("who", "")):
            abort(404)

    app.register_blueprint(pages, url_prefix=f"/{token}/<who>")
    return app, token


def format_json(value: Json, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def isolate_text(text: str) -> Markup:
    """Escape a user's or a model's text, and keep its direction marks from the text around it."""
    return Markup("<bdi>{}</bdi>").format(escape(security.make_visible(text)))
