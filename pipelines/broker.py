"""A broker of one's own, through which the scheduler hands tasks to workers: does it take us?

It is asked before the stack starts: later it would be away, and tasks would wait for it.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from pipelines.errors import RequestError
from pipelines.settings import PREFIX, scheme_of, without_password

if TYPE_CHECKING:
    from pathlib import Path

BROKER_SECONDS = 10.0
"""How long it may take to answer."""

CA = f"{PREFIX}BROKER_CA"
_CORRECT = (
    f"correct {PREFIX}BROKER_URL (amqps:// or rediss:// where it speaks TLS), or leave it out: the"
    " stack then runs Redis."
)
_CORRECT_TLS = (
    f"correct {PREFIX}BROKER_URL (amqp:// and redis:// are without TLS). A broker that asks its"
    " clients for certificates of their own must ask for none: Redis by `tls-auth-clients no`,"
    " RabbitMQ by `ssl_options.fail_if_no_peer_cert = false`."
)
_OTHER_NAME = frozenset({62, 64})
"""OpenSSL's verify_code: the certificate is of another name, or of another address."""
_OTHER_TIME = frozenset({9, 10})
"""The same: it does not hold yet, or no longer."""
_REDIS = frozenset({"redis", "rediss"})


def show_broker(url: str) -> str:
    """Return the address fit for a message: no password, and no options, which may hold one."""
    return without_password(url.partition("?")[0])


def has_tls(url: str) -> bool:
    """Tell whether this address is reached by TLS."""
    return scheme_of(url) in {"amqps", "rediss"}


def tls_options(url: str, ca: Path | None) -> dict[str, Any]:
    """Return Celery's `broker_use_ssl`; empty where the address is not of TLS.

    The broker's certificate is checked against `ca` (None: the system's), and so is the host's name
    in it: by Celery's defaults RabbitMQ's name is not, and of Redis nothing is.
    """
    file = {} if ca is None else {"ca_certs": str(ca)}
    match scheme_of(url):
        case "amqps":
            # Without it no name is compared, and kombu would put 127.0.0.1 for localhost
            host = urlsplit(url).hostname
            return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": host, **file}
        case "rediss":
            options = {"cert_reqs": ssl.CERT_REQUIRED, "check_hostname": True, **file}
            return {f"ssl_{name}": value for name, value in options.items()}
    return {}


def can_ask(url: str) -> bool:
    """Tell whether there is a client of such a broker here: images of steps have none of Redis."""
    from importlib.util import find_spec

    return scheme_of(url) not in _REDIS or find_spec("redis") is not None


def expect_broker(url: str, ca: Path | None = None, seconds: float = BROKER_SECONDS) -> None:
    """Raise RequestError, without the password, where a broker does not take us.

    `ca` is the file of certificates that its own is checked against; None: the system's.
    """
    from amqp.exceptions import AccessRefused, NotAllowed
    from kombu.connection import Connection
    from kombu.exceptions import KombuError

    expect_authorities(url, ca)
    try:
        with Connection(
            url,
            ssl=tls_options(url, ca) or False,
            connect_timeout=seconds,
            transport_options={"socket_timeout": seconds},
        ) as connection:
            # Else it is asked a second time, 2 s later
            connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
            with connection.channel():
                return
    except (AccessRefused, *_of_redis("AuthenticationError")) as error:
        words, why, remedy = "does not take the user or its password", _name(error), _CORRECT
    except NotAllowed as error:
        words = "has no such virtual host, or this user may not use it"
        why, remedy = _name(error), _CORRECT
    except (KombuError, OSError, *_of_redis("RedisError")) as error:
        fault = _tls_fault(error)
        if isinstance(fault, ssl.SSLCertVerificationError):
            words, why = "shows a certificate that does not hold", fault.verify_message.rstrip(".")
            remedy = _remedy_of_certificate(fault)
        elif has_tls(url):
            words, remedy = "does not answer by TLS", _CORRECT_TLS
            why = (fault and fault.reason) or _name(error)
        else:
            words, why, remedy = "does not answer", _name(error), _CORRECT
    except (ValueError, TypeError) as error:
        words, why, remedy = "has an address that cannot be read", _name(error), _CORRECT
    raise RequestError(f"The broker {show_broker(url)} {words} ({why}).", remedy=remedy)


def expect_authorities(url: str, ca: Path | None) -> None:
    """Raise RequestError where the address says itself how certificates are checked, or the file of
    them is none, or of no use to this address.
    """
    expect_one_check(url)
    if ca is None:
        return
    if not has_tls(url):
        raise RequestError(
            f"{CA} is set, and the broker {show_broker(url)} is reached without TLS.",
            remedy=f"begin {PREFIX}BROKER_URL with amqps:// or rediss://, or leave {CA} out.",
        )
    try:
        if not ca.is_file():
            raise RequestError(
                f"{CA} names no file: {ca}.",
                remedy=(
                    "correct the path. Of one that is not there Docker makes an empty folder:"
                    " remove that."
                ),
            )
        ssl.create_default_context(cafile=str(ca))
    except ssl.SSLError as error:
        raise RequestError(
            f"{CA}: {ca} holds no certificate that can be read.",
            remedy="name a file of certificates (PEM: -----BEGIN CERTIFICATE-----).",
        ) from error
    except OSError as error:
        raise RequestError(
            f"{CA}: {ca} cannot be read ({error.strerror}).",
            # With Docker Compose the path is one in the container, and the mode the host's
            remedy="let everybody read it (chmod 644) and enter its folders: it is no secret.",
        ) from error


def expect_one_check(url: str) -> None:
    """Raise RequestError where Celery would check a certificate otherwise than by `tls_options`."""
    if ";" in url:
        # Not shown: each of them may hold a password
        raise RequestError(
            f"{PREFIX}BROKER_URL names several brokers (`;`), and the check of certificates is that"
            " of one.",
            remedy="name one broker, or one host in front of them.",
        )
    options = parse_qs(url.partition("?")[2])
    if any(name == "ssl" or name.startswith("ssl_") for name in options):
        raise RequestError(
            f"The broker's address {show_broker(url)} has options of TLS of its own, which would"
            " replace the check of its certificate.",
            remedy=f"leave them out, and name the file of its authority's certificate: {CA}.",
        )


def _of_redis(name: str) -> tuple[type[Exception], ...]:
    """Return an error of Redis's client, where there is one."""
    try:
        from redis import exceptions
    except ModuleNotFoundError:
        return ()
    return (getattr(exceptions, name),)


def _tls_fault(error: BaseException | None) -> ssl.SSLError | None:
    """Return the fault of TLS that an error was made of; Redis's client wraps it."""
    for _ in range(10):
        if error is None or isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _remedy_of_certificate(fault: ssl.SSLCertVerificationError) -> str:
    """Return what to do about a certificate that does not hold."""
    if fault.verify_code in _OTHER_NAME:
        return (
            f"name the broker in {PREFIX}BROKER_URL as its certificate does, or give it a"
            " certificate for this name."
        )
    if fault.verify_code in _OTHER_TIME:
        return "give the broker a new certificate, or set this machine's clock."
    return f"name the file of its authority's certificate: {CA}."


def _name(error: BaseException) -> str:
    return type(error).__name__
