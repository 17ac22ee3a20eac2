"""The gateway, seen from `deploy`.

Where it leads each model's requests, and the way to a release that nobody is led to yet.

The routes are a file, which a gateway that starts anew loads, and the same in the memory of the one
that runs. A change is written into the file first (atomically), then told to the running gateway;
cut off between the two, `leads` and `written_route` differ.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import StorageFull, Unreachable
from pipelines.locks import hold

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

MAP = "/gateway/routes.map"
"""The routes' name inside the gateway, by which it is spoken to of them."""

ROUTES, ADMIN, CANDIDATES = "routes.map", "admin.sock", "candidates.sock"
TIMEOUT_SECONDS = 5.0
LOCK_SECONDS = 30.0
_REMEDY = (
    "start the gateway (`docker compose up -d gateway`) with the folder of PERENNIAL_GATEWAY"
    " mounted at /gateway; then clear this task."
)


class Gateway:
    """The gateway whose folder (routes, sockets) is `folder`."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder; nothing is opened."""
        self._folder = folder

    def leads(self, model: str) -> str | None:
        """Return the container that the running gateway leads the model's requests to.

        Raises Unreachable where none runs.
        """
        return _routes(
            line.split(" ", 1)[-1] for line in self._send(f"show map {MAP}").splitlines()
        ).get(model)

    def written_route(self, model: str) -> str | None:
        """Return the container that a gateway that starts anew would lead to."""
        return self._read().get(model)

    def lead(self, model: str, container: str | None) -> None:
        """Lead the model's requests to the container from now on; None: to nothing.

        Requests under way end where they are.

        Raises Unreachable where the gateway does not take it, Busy where another change takes too
        long, StorageFull.
        """
        with self._hold_routes():
            route = self.leads(model)
            routes = self._read()
            if container is None:
                routes.pop(model, None)
            else:
                routes[model] = container
            self._write(routes)
            if container == route:
                return
            if container is None:
                answer = self._send(f"del map {MAP} {model}")
            else:
                answer = self._send(
                    f"{'add' if route is None else 'set'} map {MAP} {model} {container}"
                )
        if answer.strip() or self.leads(model) != container:
            raise Unreachable(
                f"The gateway did not take the route of {model} to {container}:"
                f" {answer.strip() or 'it kept the old one'}."
            )

    def candidate(self, container: str, token: str) -> httpx.Client:
        """Return a client that reaches this container by the gateway's own way, whoever the public
        is led to.

        With the token of its container, what it asks is a proof and no traffic. Raises Unreachable
        where no gateway runs, at the first request only: httpx.ConnectError.
        """
        import httpx

        return httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self._folder / CANDIDATES)),
            base_url="http://gateway",
            headers={"x-perennial-container": container, "x-perennial-proof": token},
            timeout=TIMEOUT_SECONDS,
        )

    def away(self, why: object) -> Unreachable:
        """Return the error that says the gateway does not answer."""
        return Unreachable(
            f"The gateway does not answer in {self._folder}: {type(why).__name__}: {why}.",
            remedy=_REMEDY,
        )

    def _send(self, command: str) -> str:
        """Send one command to the running gateway and return what it says."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as admin:
                admin.settimeout(TIMEOUT_SECONDS)
                admin.connect(str(self._folder / ADMIN))
                admin.sendall(f"{command}\n".encode())
                answer = b"".join(iter(lambda: admin.recv(65_536), b"")).decode()
        except OSError as error:
            raise self.away(error) from error
        if answer.startswith("Unknown map"):
            raise Unreachable(
                f"The gateway in {self._folder} has no routes: {answer.strip()}", remedy=_REMEDY
            )
        return answer

    def _read(self) -> dict[str, str]:
        path = self._folder / ROUTES
        try:
            return _routes(path.read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self.away(error) from error

    def _write(self, routes: dict[str, str]) -> None:
        """Replace the file, flushed; of a write that is cut off nothing is seen."""
        text = "".join(f"{model} {container}\n" for model, container in sorted(routes.items()))
        try:
            handle, name = tempfile.mkstemp(prefix=".routes-", dir=self._folder)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).chmod(0o664)
                Path(name).replace(self._folder / ROUTES)
            finally:
                Path(name).unlink(missing_ok=True)
        except FileNotFoundError as error:
            raise self.away(error) from error
        except OSError as error:
            raise StorageFull(
                f"The routes in {self._folder} cannot be written: {error.strerror}.",
                remedy="free disk space there.",
            ) from error

    @contextlib.contextmanager
    def _hold_routes(self) -> Iterator[None]:
        """Hold the routes' lock: deployments of other models change the same file."""
        if not self._folder.is_dir():
            raise self.away(FileNotFoundError(f"There is no folder {self._folder}"))
        complaint = f"The routes in {self._folder} have been locked for {LOCK_SECONDS:g} s."
        # The gateway's user shares the folder: its group may lock, too
        with hold(self._folder / ".routes.lock", complaint, seconds=LOCK_SECONDS, mode=0o660):
            yield


def _routes(lines: Iterator[str] | list[str]) -> dict[str, str]:
    """Return the routes that lines of "<model> <container>" hold; others are passed over."""
    pairs = (line.split() for line in lines)
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}  # noqa: PLR2004
