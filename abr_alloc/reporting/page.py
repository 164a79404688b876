"""The report as one HTML file that asks nothing of a network.

The template, the style sheet and the script lie beside this module as files of their own kinds. The page's policy
(Content-Security-Policy) allows its own scripts by their hashes and pictures in data URIs, and nothing else: even a
title that got past the escaping could not run or load anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup

from abr_alloc.documents import json_text
from abr_alloc.reporting.charts import VEGA_LITE_VERSION, chart_specs
from abr_alloc.reporting.shot_charts import shot_chart_specs

__all__ = ["render_page"]

_FILES = ("style.css", "template.html", "notice.txt")
_SCRIPTS = ("lookup.js", "charts.js", "title.js", "ladder.js", "shots.js", "audit.js", "catalogue.js", "page.js")
"""In the order of their use; together one script."""

_LIBRARY = "window.drawChart = vegaEmbed;"  # what the page's script calls it


def render_page(about: dict[str, Any], titles: Sequence[dict[str, Any]]) -> bytes:
    """The page's bytes, UTF-8.

    Args:
        about: what holds for the whole report.
        titles: from `title_data`, in the order in which they are listed.
    """
    folder = resources.files("abr_alloc.reporting").joinpath("page")
    style, template, notice, *scripts = (
        folder.joinpath(name).read_text(encoding="utf-8") for name in (*_FILES, *_SCRIPTS)
    )
    script = '"use strict";\n' + "\n".join(scripts)
    library = vl_convert.javascript_bundle(_LIBRARY, vl_version=VEGA_LITE_VERSION).replace("</script", "<\\/script")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    names = [title["title"] for title in titles]
    return (
        environment.from_string(template)
        .render(
            heading=names[0] if len(names) == 1 else f"{len(names)} titles",
            notice=Markup(notice),
            style=Markup(style),
            library=Markup(library),
            script=Markup(script),
            script_hashes=[_hash(library), _hash(script)],
            about=_json(about),
            specs=_json(chart_specs(measured_only=about["measured_only"]) | shot_chart_specs()),
            titles=[_json(title) for title in titles],
        )
        .encode()
    )


def _json(value: object) -> Markup:
    """JSON that cannot end the element it stands in."""
    text = json_text(value, indent=None, close=True, ascii_only=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
