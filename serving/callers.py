"""Who may ask: whoever calls this server by a name of its own, and no web page but this server's
own.

A browser on this machine reaches 127.0.0.1 on behalf of any page that it shows. A page of another
origin is known by `Origin` or `Sec-Fetch-Site`; one whose name was made to point here (DNS
rebinding) is known by `Host`, which still has that name.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from serving.problems import CLOSE, Problem

if TYPE_CHECKING:
    from starlette.types import Scope

    from pipelines.settings import Settings

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#@\s]+)")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_OWN_SITE = {b"same-origin", b"none"}


class Callers:
    """Knows the names of this server.

    In a container every name, because there the gateway looks at them.
    """

    def __init__(self, settings: Settings) -> None:
        """Take the names from the settings."""
        self._names = {name.strip() for name in settings.serving_hosts.split(",") if name.strip()}
        self._any_name = settings.serving_host != "127.0.0.1"
        self._is_known = lru_cache(maxsize=128)(self._is_own_name)

    def refuse_strangers(self, scope: Scope) -> None:
        """Raise Problem 400 where the request does not say whom it asks, 403 where it is not for
        this server or a foreign page's.
        """
        headers = dict(scope["headers"])
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1:
            if not self._is_known(hosts[0]):
                words = (
                    "This server is not known by the name in the header Host; the setting"
                    " PERENNIAL_SERVING_HOSTS holds its names."
                )
                raise Problem(403, "unknown_host", words)
        elif hosts or scope["http_version"] != "1.0":
            raise Problem(400, "bad_request", "Send the header Host exactly once.", headers=CLOSE)
        origin = headers.get(b"origin")
        if origin is not None and not self._is_own_origin(origin, hosts):
            raise _foreign_origin()
        follows_link = scope["method"] == "GET" and headers.get(b"sec-fetch-mode") == b"navigate"
        if headers.get(b"sec-fetch-site", b"none") not in _OWN_SITE and not follows_link:
            raise _foreign_origin()

    def _is_own_name(self, host: bytes) -> bool:
        """Tell whether the server has this name. Raises Problem 400 for what is no host."""
        match = _HOST.fullmatch(host.decode("latin-1").lower())
        if not match:
            raise Problem(400, "bad_request", "The header Host holds no host.", headers=CLOSE)
        return (
            self._any_name
            or match["name"] in self._names
            or _is_loopback(match["name"].removesuffix("."))
        )

    def _is_own_origin(self, origin: bytes, hosts: list[bytes]) -> bool:
        """Tell whether a page of this origin came from this server.

        By the name it is asked by, or by one of the settings.
        """
        match = _ORIGIN.fullmatch(origin.decode("latin-1").lower())
        if not match:  # "null" too: a page without an origin
            return False
        default = _DEFAULT_PORTS[match["scheme"]]
        place = match["host"].removesuffix(default)
        return place in self._names or any(
            place == host.decode("latin-1").lower().removesuffix(default) for host in hosts
        )


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _foreign_origin() -> Problem:
    return Problem(403, "foreign_origin", "A web page of another origin may not ask this server.")
