"""How the pages answer: the headers of every answer, and a page of our own."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse, Response

from perennial_airflow.links import airflow_path
from perennial_airflow.pages.html import render

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
OWN = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'self'"
)
"""What our own pages may do: look as they look, and send a form to Airflow itself."""


def page_response(
    template: str,
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """Return a page of our own (see `render`)."""
    html = render(template, base=airflow_path(), **values)
    return HTMLResponse(
        html, status, headers={**(headers or {}), **HEADERS, "Content-Security-Policy": OWN}
    )
