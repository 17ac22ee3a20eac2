"""A container as the place of a step: made, followed, stopped, removed."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException, NotFound
from requests import RequestException

from perennial_airflow.places.docker_output import follow_output, make_connection_error
from pipelines.errors import Busy, Conflict, GiveUp, TryAgain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import APIClient

    from perennial_airflow.places.container_setup import Setup
    from perennial_airflow.places.docker_engine import StepEngine

OURS = {"perennial": "1", "perennial.kind": "step"}
"""The labels without which a container is not touched."""

SIGNALLED = 128
"""An exit code beyond this says which signal ended the step."""

KILLED = -9
END_SECONDS = 20
"""The longest between the end of a container's output and its own."""

NAME_TRIES, NAME_SECONDS = 40, 0.25
"""How often, and how far apart, a name is asked for that a container which is being removed still
holds."""

CONFLICT = 409

_log = logging.getLogger("perennial")


@dataclass(frozen=True)
class DockerPlace:
    """A container that holds one step, from an image whose entry point is `python -m pipelines`.

    `grace_seconds` lie between SIGTERM and SIGKILL; with the removal, that is less than the 5 s
    after which Airflow kills the task itself.
    """

    engine: StepEngine
    setup: Setup
    grace_seconds: float = 2.5

    @contextlib.contextmanager
    def start(self, step: str, model: str, request: str) -> Iterator[RunningContainer]:
        """Start the step's container, in place of one that an earlier try left.

        At the end of the context it is gone.

        Raises GiveUp, Conflict (a foreign container has its name), TryAgain.
        """
        try:
            with self._run_container([step, "--model", model, "--request", request]) as running:
                yield running
        finally:
            self.engine.close()

    @contextlib.contextmanager
    def _run_container(self, command: list[str]) -> Iterator[RunningContainer]:
        try:
            container = self._create(command)
        except BaseException:
            with contextlib.suppress(GiveUp, TryAgain):
                self._clear()  # the engine may have made it, and not have come to say so
            raise
        running = RunningContainer(self.engine, container, self.setup, self.grace_seconds)
        try:
            running.begin()
            yield running
        finally:
            running.end()

    def _create(self, command: list[str]) -> str:
        image, setup, client = self._image(), self.setup, self.engine.client
        for _ in range(NAME_TRIES):
            try:
                container = self.engine.ask(
                    client.create_container,
                    image=image,
                    command=command,
                    labels={**setup.labels, **OURS},
                    **setup.create_options(client, image),
                )
            except GiveUp as error:
                if (
                    not isinstance(error.__cause__, APIError)
                    or error.__cause__.status_code != CONFLICT
                ):
                    raise
                self._clear()
                time.sleep(NAME_SECONDS)
            else:
                return str(container["Id"])
        raise Busy(f"The container {setup.name} of an earlier try is still being removed.")

    def _image(self) -> str:
        """Return the image's id. Nothing is ever pulled."""
        try:
            return str(self.engine.ask(self.engine.client.inspect_image, self.setup.image)["Id"])
        except GiveUp as error:
            if not isinstance(error.__cause__, NotFound):
                raise
            raise GiveUp(
                f"The engine has no image {self.setup.image}.",
                remedy="build it (`make images`), or set PERENNIAL_STEPS_IMAGE.",
            ) from error

    def _clear(self) -> None:
        """Remove the container that has our name, where it is one of ours.

        Raises Conflict where it is not.
        """
        client = self.engine.client
        try:
            namesake = self.engine.ask(client.inspect_container, self.setup.name)
        except GiveUp as error:
            if isinstance(error.__cause__, NotFound):
                return
            raise
        labels = namesake["Config"].get("Labels") or {}
        if any(labels.get(name) != value for name, value in OURS.items()):
            raise Conflict(
                f"The name {self.setup.name} is taken by a container that is not a step's (image"
                f" {namesake['Config'].get('Image')}).",
                remedy=(
                    f"remove or rename it (`docker rename {self.setup.name} …`), then clear this"
                    " task."
                ),
            )
        _log.info("removing the container that an earlier try left: %s", self.setup.name)
        _remove(client, namesake["Id"])


def _remove(client: APIClient, container: str) -> None:
    """Remove a container, at work or not.

    One that cannot be removed now is left to the next try, which does it first.
    """
    try:
        client.remove_container(container, force=True, v=True)
    except NotFound:
        return
    except (DockerException, RequestException) as error:
        if (
            not isinstance(error, APIError) or error.status_code != CONFLICT
        ):  # a conflict: it is being removed already
            _log.warning("The container %s could not be removed: %s", container[:12], error)


class RunningContainer:
    """A step's container at work."""

    def __init__(
        self, engine: StepEngine, container: str, setup: Setup, grace_seconds: float
    ) -> None:
        """Know the container by its id: another one may come to bear its name."""
        self._engine = engine
        self._id = container
        self._setup = setup
        self._grace = grace_seconds
        self._kill_at: float | None = None
        self._connection: Any = None

    def begin(self) -> None:
        """Listen, then start it: so nothing that it says is missed."""
        client = self._engine.client
        self._connection = self._engine.ask(
            client.attach_socket, self._id, {"stdout": 1, "stderr": 1, "stream": 1}
        )
        self._engine.ask(client.start, self._id)

    def follow(self, take_line: Callable[[str, str], None]) -> int:
        """Pass its lines on until it has ended; return the exit code, negative for a signal.

        Raises GiveUp where it had less memory than it needed, TryAgain where it was lost.
        """
        follow_output(self._connection, take_line, self._escalate)
        return self._exit_code()

    def _exit_code(self) -> int:
        client = self._engine.client
        try:
            code = int(client.wait(self._id, timeout=END_SECONDS)["StatusCode"])
            state = client.inspect_container(self._id)["State"]
        except NotFound as error:
            raise TryAgain(
                "The step's container was removed while it was at work: by a later try of this"
                " task, or by hand."
            ) from error
        except (DockerException, RequestException) as error:
            raise make_connection_error(error) from error
        number = SIGNALLED - code if code > SIGNALLED else code
        if state.get("OOMKilled") and number == KILLED and self._kill_at is None:
            raise self._out_of_memory()
        return number

    def _out_of_memory(self) -> GiveUp | TryAgain:
        limit = self._setup.memory
        if limit is None:
            return TryAgain(
                "out of memory: the engine's host has none left.",
                remedy="give the step a limit (resources.memory in model.yaml).",
            )
        return GiveUp(
            f"out of memory: the step may use {limit} (resources.memory in model.yaml).",
            remedy="raise that, then clear this task.",
        )

    def stop(self) -> None:
        """Send SIGTERM now; `follow` sends SIGKILL when the grace is over."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace
            self._engine.signal(self._id, "SIGTERM")

    def _escalate(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._engine.signal(self._id, "SIGKILL")
            self._kill_at = time.monotonic() + self._grace

    def end(self) -> None:
        """Leave nothing: kill what is still at work, and remove it."""
        if self._connection is not None:
            # The client's own reference to what holds the socket; closing the stream leaves it
            # open.
            self._connection._response.close()  # noqa: SLF001
        _remove(self._engine.client, self._id)
