"""What goes wrong, as a caller sees it: every status but 2xx answers with one JSON form."""

from __future__ import annotations

from typing import Any

import msgspec

encode = msgspec.json.Encoder().encode

CLOSE = {"connection": "close"}
"""The header of an answer after which the connection cannot be used any more."""

MESSAGE_LIMIT = 300
"""Characters of a message; a caller's own words (a field's name) may stand in it."""


class Problem(Exception):
    """A request that is not answered as asked.

    Raised anywhere below `edge.Edge`, which answers it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        row: int | None = None,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        """Keep the HTTP status, a code that programs read, and words.

        `extra` stands beside "error" in the answer.
        """
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message[:MESSAGE_LIMIT]
        self.field = field[:MESSAGE_LIMIT] if field is not None else None
        self.row = row
        self.headers = headers or {}
        self.extra = extra or {}

    def body(self) -> dict[str, Any]:
        """Return the answer: {"error": {"code", "message", "row"?, "field"?}, …}."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.row is not None:
            error["row"] = self.row
        if self.field is not None:
            error["field"] = self.field
        return {"error": error, **self.extra}


CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}
"""Codes of the problems that the framework finds itself."""


def framework_problem(status: int, headers: dict[str, str] | None) -> Problem:
    """Return the problem for a status that the framework raised: no such path, no such method."""
    words = {
        404: "There is nothing at this path; see /docs.",
        405: "This path does not take this method; see /docs.",
    }
    return Problem(
        status,
        CODES.get(status, "error"),
        words.get(status, "The request cannot be answered."),
        headers=headers,
    )
