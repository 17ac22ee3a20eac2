"""Whether a broker of one's own takes us, and by an encrypted way."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipelines.broker import can_ask, expect_authorities, expect_broker, has_tls, show_broker
from pipelines.ops.findings import Finding, ok, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.settings import Settings

LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


def check_broker(settings: Settings, can_ask: Callable[[str], bool] = can_ask) -> Iterator[Finding]:
    """Ask the broker, where there is one of one's own and `can_ask` finds a client of such.

    Raises as `expect_broker`.
    """
    what, url = "broker", _address(settings)
    if settings.executor != "celery" or url is None:
        return
    if can_ask(url):
        expect_broker(url, settings.broker_ca)
        held = ", and its certificate holds" if has_tls(url) else ""
        yield ok(what, f"{show_broker(url)} takes us{held}")
    else:
        expect_authorities(url, settings.broker_ca)
        said = "is asked when the stack starts, not from here: there is no client of Redis"
        yield ok(what, f"{show_broker(url)} {said}")
    if not has_tls(url) and urlsplit(url).hostname not in LOCAL:
        yield warning(
            what,
            f"{show_broker(url)} is reached without encryption: its password can be read on the"
            " way.",
            "name an amqps:// or rediss:// address (docs/workers.md).",
        )


def _address(settings: Settings) -> str | None:
    """Return the address with its password: the stack of one machine keeps it in a file."""
    file = settings.state / "secrets" / "broker_url"
    return file.read_text(encoding="utf-8") if file.is_file() else settings.broker_url
