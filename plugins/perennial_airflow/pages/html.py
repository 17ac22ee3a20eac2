"""The pages' HTML: self-contained, without scripts, everything escaped (names, reasons and data are
hostile).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from perennial_airflow.links import incidents_path
from perennial_airflow.pages.sentences import describe_entry, span, when
from pipelines.verdicts.words import figure

_TEMPLATES = Path(__file__).with_name("templates")
_BODY = re.compile(rb"<body\b[^>]*>", re.IGNORECASE)


def render(template: str, **values: Any) -> str:
    """Return a page: `overview`, `model`, `problem` or `login`, each with title and base, and what
    it shows.

    In its frame, `model` leads to the model's page, and `mlflow` to MLflow.
    """
    return _fill(template, {"model": "", "mlflow": None, "here": "", "marks": [], **values})


def add_frame(page: bytes, *, own: bool, **values: Any) -> bytes:
    """Return a page that a step has stored, with our frame at the top of its body.

    The frame is laid around it when it is shown, so pages of earlier versions have it too. An `own`
    page also gets our looks; another program's (Evidently's) keeps its own.
    """
    frame = _fill("stored", {"own": own, **values}).encode()
    body = _BODY.search(page)
    at = body.end() if body else 0
    return page[:at] + frame + page[at:]


def _fill(template: str, values: dict[str, Any]) -> str:
    return _environment().get_template(f"{template}.html").render(values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(
        describe_entry=describe_entry,
        when=when,
        span=span,
        figure=figure,
        incidents_path=incidents_path,
    )
    return environment
