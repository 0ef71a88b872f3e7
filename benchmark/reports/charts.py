"""Charts as inline SVG: no script, no font file, readable on light and dark paper."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

WIDTH = 300  # with labels at most 400, so that a phone shows letters at their real size
LABELS = 75  # a browser's letters may be wider than those the chart was measured with
INK = "currentColor"
COLOURS = {
    "tuned": "#2a7de1",
    "base": "#e0823d",
    "lexical": "#7d8794",
    "echo_query": "#9a6fd0",
    "always_none": "#3aa17e",
    "seen": "#3aa17e",
    "unseen": "#c8506e",
}
EMPTY = "#c8506e"

NUMBERED_ID = re.compile(r"\b(?:gradient|clip)_?\d+\b")

Points = Sequence[Mapping[str, Any]]


def draw_dots(points: Points, row: str, colour: str, title: str) -> Markup:
    """`em` with its interval from `low` to `high`, one line per `row`, one dot per `colour`."""
    base = alt.Chart(_inline_data(points)).encode(
        y=alt.Y(f"{row}:N", title=None, sort=None, axis=alt.Axis(minExtent=LABELS)),
        yOffset=alt.YOffset(f"{colour}:N", sort=None),
        color=_encode_colour(colour, points),
    )
    scale = alt.Scale(domain=[0, 1])
    rule = base.mark_rule(strokeWidth=2, opacity=0.6).encode(
        x=alt.X("low:Q", title=title, scale=scale), x2="high:Q"
    )
    dot = base.mark_point(filled=True, size=50, opacity=1).encode(x=alt.X("em:Q", scale=scale))
    return _render_svg((rule + dot).properties(width=WIDTH - LABELS, height=alt.Step(14)))


def draw_lines(points: Points, x: str, y: str, colour: str, titles: tuple[str, str]) -> Markup:
    """One line per `colour`."""
    chart = alt.Chart(_inline_data(points)).mark_line(point=len(points) < 100, strokeWidth=2)
    coded = chart.encode(
        x=alt.X(f"{x}:Q", title=titles[0], axis=alt.Axis(tickCount=5)),
        y=alt.Y(f"{y}:Q", title=titles[1], scale=alt.Scale(zero=False)),
        color=_encode_colour(colour, points),
    )
    return _render_svg(coded.properties(width=WIDTH, height=200))


def draw_curve(points: Points, x: str, y: str, titles: tuple[str, str]) -> Markup:
    chart = alt.Chart(_inline_data(points)).mark_line(strokeWidth=1.5, color=COLOURS["tuned"])
    coded = chart.encode(
        x=alt.X(f"{x}:Q", title=titles[0], axis=alt.Axis(tickCount=5)),
        y=alt.Y(f"{y}:Q", title=titles[1], scale=alt.Scale(zero=False)),
    )
    return _render_svg(coded.properties(width=WIDTH, height=180))


def draw_heatmap(points: Points, x: str, y: str) -> Markup:
    """`count` as depth of colour, columns in the order of the points; an empty cell stands out."""
    top = max((point["count"] for point in points), default=1)
    depth = alt.Color(
        "count:Q",
        title=None,
        scale=alt.Scale(domain=[0, max(1, top)], range=["#cfe2f7", "#0b4a94"]),
        legend=alt.Legend(orient="top", gradientLength=WIDTH // 2, tickCount=4),
    )
    chart = alt.Chart(_inline_data(points)).mark_rect(stroke=INK, strokeOpacity=0.15)
    coded = chart.encode(
        x=alt.X(f"{x}:N", title=None, sort=None, axis=alt.Axis(orient="top", labelAngle=-60)),
        y=alt.Y(f"{y}:N", title=None, axis=alt.Axis(minExtent=120)),
        color=alt.condition("datum.count == 0", alt.value(EMPTY), depth),
    )
    return _render_svg(coded.properties(width=WIDTH - 120, height=alt.Step(13)))


def _inline_data(points: Iterable[Mapping[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=[dict(point) for point in points])


def _encode_colour(field: str, points: Points) -> alt.Color:
    names = list(dict.fromkeys(point[field] for point in points))
    colours = [COLOURS.get(name, INK) for name in names]
    legend = alt.Legend(orient="top", title=None, columns=3)
    scale = alt.Scale(domain=names, range=colours)
    return alt.Color(f"{field}:N", sort=None, scale=scale, legend=legend)


def _render_svg(chart: alt.Chart | alt.LayerChart) -> Markup:
    """Letters and axes take the colour of the page's text."""
    faint = {"gridColor": INK, "gridOpacity": 0.12, "domainOpacity": 0.4, "tickOpacity": 0.4}
    ink = {"labelColor": INK, "titleColor": INK}
    fonts = {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal"}
    styled = (
        chart.configure(background="transparent", font="system-ui, sans-serif")
        .configure_axis(**ink, **faint, **fonts, domainColor=INK, tickColor=INK)
        .configure_legend(**ink, labelFontSize=11)
        .configure_view(stroke=None)
    )
    return Markup(_rename_ids(vl_convert.vegalite_to_svg(styled.to_dict())))


def _rename_ids(svg: str) -> str:
    """Ids by content, because the renderer goes on counting from chart to chart."""
    digest = hashlib.sha256(NUMBERED_ID.sub("", svg).encode()).hexdigest()[:8]
    names: dict[str, str] = {}
    return NUMBERED_ID.sub(
        lambda match: names.setdefault(match.group(), f"{digest}-{len(names)}"), svg
    )
