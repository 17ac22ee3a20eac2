"""A broker of one's own, through which the scheduler hands tasks to workers: does it take us?

It is asked before the stack starts: later it would be away, and tasks would wait for it.
"""

from __future__ import annotations

from pipelines.errors import RequestError
from pipelines.settings import PREFIX, without_password

BROKER_SECONDS = 10.0
"""How long it may take to answer."""


def show_broker(url: str) -> str:
    """Return the address fit for a message: no password, and no options, which may hold one."""
    return without_password(url.partition("?")[0])


def expect_broker(url: str, seconds: float = BROKER_SECONDS) -> None:
    """Raise RequestError, without the password, where a broker does not take us."""
    from amqp.exceptions import AccessRefused, NotAllowed
    from kombu.connection import Connection
    from kombu.exceptions import KombuError
    from redis.exceptions import AuthenticationError, RedisError

    try:
        with (
            Connection(
                url, connect_timeout=seconds, transport_options={"socket_timeout": seconds}
            ) as connection,
            connection.channel(),
        ):
            return
    except (AccessRefused, AuthenticationError) as error:
        words, kind = "does not take the user or its password", type(error).__name__
    except NotAllowed as error:
        words, kind = "has no such virtual host, or this user may not use it", type(error).__name__
    except (KombuError, RedisError, OSError) as error:
        words, kind = "does not answer", type(error).__name__
    except (ValueError, TypeError) as error:
        words, kind = "has an address that cannot be read", type(error).__name__
    raise RequestError(
        f"The broker {show_broker(url)} {words} ({kind}).",
        remedy=f"correct {PREFIX}BROKER_URL, or leave it out: the stack then runs Redis.",
    )
