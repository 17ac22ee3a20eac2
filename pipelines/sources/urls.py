"""URLs and messages fit to be shown: without user, password, query and fragment."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")


def display_url(url: str) -> str:
    """Return a URL (or fsspec's chain of them) fit for a message.

    Without user, password, query and fragment.
    """
    return "::".join(_bare(part) for part in url.split("::"))


def _bare(url: str) -> str:
    if "://" not in url:
        return url
    from pipelines.settings import without_password  # who reads files alone needs no settings

    try:
        return urlsplit(without_password(url))._replace(query="", fragment="").geturl()
    except ValueError:
        return f"{url.split('://', 1)[0]}://…"


def without_secrets(text: str, url: str) -> str:
    """Return a library's message with every URL in it made fit for a message.

    Libraries write URLs in forms of their own; where a password or a query of `url` is still in the
    text, it is dropped.
    """
    safe = _URL.sub(lambda match: display_url(match[0]), text.replace(url, display_url(url)))
    return (
        "its message is left out, since it holds a password or a query"
        if any(s in safe for s in _secrets(url))
        else safe
    )


def _secrets(url: str) -> set[str]:
    secrets: set[str] = set()
    for part in url.split("::"):
        try:
            parts = urlsplit(part) if "://" in part else None
            if parts is not None:
                secrets |= {
                    parts.password or "",
                    parts.query,
                    *(v for _, v in parse_qsl(parts.query) if len(v) > 3),  # noqa: PLR2004
                }
        except ValueError:  # no URL at all: nothing of it may be said
            secrets.add(part.split("://", 1)[-1])
    return {form for secret in secrets if secret for form in (secret, unquote(secret))}
