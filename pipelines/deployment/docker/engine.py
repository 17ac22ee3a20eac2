"""The Docker engine (or the door in front of it), as far as releases need it.

Named errors, a time limit on every call, no pull.

Whatever is not there is None; whatever fails is one of our errors. Nothing here decides anything.
"""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from pipelines.errors import Conflict, GiveUp, PerennialError, StorageFull, Unreachable
from pipelines.full_disk import is_full
from pipelines.refs import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

TIMEOUT_SECONDS = 60
"""How long one call may be silent. A build tells of its progress meanwhile."""
BUILD_SECONDS = 600
"""How long a build may be silent: a context with the packages of a model may be a GB."""

_AWAY = (
    "start the Docker engine (or the door to it), see PERENNIAL_DOCKER_HOST; then clear this task"
    " or let it retry."
)
_FULL = (
    "free disk space where the engine keeps its images (`perennial prune`, `docker system df`),"
    " then clear this task."
)


INSTALLATION = "perennial.installation"
"""The label that tells two installations on one engine apart."""


def engine_for(settings: Settings) -> ReleaseEngine:
    """Return the engine that the settings name, for what belongs to the settings' own state."""
    return ReleaseEngine(
        settings.docker_host,
        installation=digest(settings.docker_state or str(settings.state))[:12],
    )


class Image(NamedTuple):
    """An image that is there."""

    id: str
    labels: dict[str, str]
    created: float = 0
    """When it was made, in seconds since 1970; known of those that are listed."""


class Container(NamedTuple):
    """A container that is there, running or not."""

    id: str
    name: str
    image: str
    """The id of its image."""
    labels: dict[str, str]
    environment: dict[str, str]
    running: bool
    """False also while it waits to be started again after it ended."""
    restarting: bool
    """It ended, and the engine is about to start it again."""
    restarts: int
    exit_code: int
    out_of_memory: bool
    trouble: str
    """Why it could not be started, in the engine's words; mostly empty."""


class ReleaseEngine:
    """The engine at `url` (unix://… or tcp://…); it is asked at the first call."""

    def __init__(self, url: str, timeout: float = TIMEOUT_SECONDS, installation: str = "") -> None:
        """Remember where it is, and whose things these are.

        Only what bears the installation's label is made, listed and found.
        """
        self._url = url
        self._timeout = timeout
        self._own = {INSTALLATION: installation} if installation else {}

    @cached_property
    def _api(self) -> Any:
        import docker

        with self._name_errors("connect"):
            return docker.APIClient(base_url=self._url, version="auto", timeout=self._timeout)

    def image(self, name: str) -> Image | None:
        """Return the local image of this name or id."""
        with self._name_errors(f"inspect the image {name}"), _absent_as_empty() as answers:
            body = self._api.inspect_image(name)
            answers.append(Image(body["Id"], dict(body["Config"].get("Labels") or {})))
        return answers[0] if answers else None

    def build(self, context: IO[bytes], tag: str, labels: dict[str, str]) -> Image:
        """Build the context (a tar with its Dockerfile) without any network, tag the image and
        return it.
        """
        with self._name_errors(f"build {tag}"):
            lines = self._api.build(
                fileobj=context,
                custom_context=True,
                tag=tag,
                labels=labels | self._own,
                rm=True,
                forcerm=True,
                pull=False,
                network_mode="none",
                decode=True,
                timeout=BUILD_SECONDS,
            )
            for line in lines:
                if "error" in line:
                    raise _make_error(
                        f"The engine could not build {tag}: {str(line['error']).strip()}", 500
                    )
        image = self.image(tag)
        if image is None:
            raise Unreachable(f"The engine built {tag}, but does not have it.", remedy=_FULL)
        return image

    def images(self, labels: dict[str, str], *, untagged: bool = False) -> list[Image]:
        """Return the images with these labels.

        Of the untagged ones only those that nothing is built on.
        """
        with self._name_errors("list images"):
            filters = {"label": self._labels(labels), **({"dangling": True} if untagged else {})}
            return [
                Image(str(body["Id"]), dict(body["Labels"] or {}), float(body.get("Created", 0)))
                for body in self._api.images(filters=filters)
            ]

    def remove_image(self, name: str) -> None:
        """Remove the image; nothing where it is gone or a container still needs it."""
        with self._name_errors(f"remove the image {name}"), _absent_as_empty():
            try:
                self._api.remove_image(name)
            except _errors().APIError as error:
                if error.status_code != 409:  # noqa: PLR2004 -- 409: in use
                    raise

    def container(self, name: str) -> Container | None:
        """Return the container of this name."""
        with self._name_errors(f"inspect the container {name}"), _absent_as_empty() as answers:
            answers.append(_container(self._api.inspect_container(name)))
        return answers[0] if answers else None

    def containers(self, labels: dict[str, str]) -> list[str]:
        """Return the names of all containers with these labels, running or not, sorted."""
        with self._name_errors("list containers"):
            filters = {"label": self._labels(labels)}
            return sorted(
                str(body["Names"][0]).lstrip("/")
                for body in self._api.containers(all=True, filters=filters)
                if body["Names"]
            )

    def owns(self, labels: dict[str, str]) -> bool:
        """Tell whether these are the labels of something that this installation made."""
        return self._own.items() <= labels.items()

    def _labels(self, labels: dict[str, str]) -> list[str]:
        return [f"{key}={value}" for key, value in (labels | self._own).items()]

    def create(
        self,
        name: str,
        image: str,
        network: str,
        host: dict[str, Any],
        *,
        labels: dict[str, str],
        **config: Any,
    ) -> None:
        """Create a container; `host` and `config` are arguments of docker-py.

        Raises Conflict where the name is taken.
        """
        with self._name_errors(f"create the container {name}"):
            self._api.create_container(
                image,
                name=name,
                labels=labels | self._own,
                host_config=self._api.create_host_config(network_mode=network, **host),
                networking_config=self._api.create_networking_config(
                    {network: self._api.create_endpoint_config()}
                ),
                **config,
            )

    def start(self, name: str) -> None:
        """Start the container; nothing where it runs."""
        with self._name_errors(f"start the container {name}"):
            self._api.start(name)

    def stop(self, name: str, grace: int) -> None:
        """Ask the container to end (SIGTERM), and kill it after `grace` seconds.

        Nothing where it does not run or is gone.
        """
        with self._name_errors(f"stop the container {name}"), _absent_as_empty():
            self._api.stop(name, timeout=grace)

    def remove(self, name: str) -> None:
        """Remove the container, whether it runs or not; nothing where it is gone or going."""
        with self._name_errors(f"remove the container {name}"), _absent_as_empty():
            try:
                self._api.remove_container(name, v=True, force=True)
            except _errors().APIError as error:
                if "already in progress" not in str(error.explanation):
                    raise

    def logs(self, name: str, lines: int) -> str:
        """Return the last lines that the container wrote, to either stream."""
        with self._name_errors(f"read the log of {name}"), _absent_as_empty() as answers:
            answers.append(
                self._api.logs(name, stdout=True, stderr=True, tail=lines)
                .decode("utf-8", "replace")
                .strip()
            )
        return answers[0] if answers else ""

    @contextlib.contextmanager
    def _name_errors(self, doing: str) -> Iterator[None]:
        """Raise what goes wrong in here as one of our errors."""
        import urllib3

        errors = _errors()
        try:
            yield
        except PerennialError:
            raise
        except errors.APIError as error:
            words = f"The engine could not {doing}: {str(error.explanation or error).strip()}"
            raise _make_error(words, error.status_code or 500) from error
        except (errors.DockerException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(
                f"The Docker engine does not answer at {self._url}: {type(error).__name__}:"
                f" {error}.",
                remedy=_AWAY,
            ) from error


def _errors() -> Any:
    import docker.errors

    return docker.errors


@contextlib.contextmanager
def _absent_as_empty() -> Iterator[list[Any]]:
    """Yield a list for what is found.

    It stays empty where the engine says that there is no such thing.
    """
    with contextlib.suppress(_errors().NotFound):
        yield []


def _make_error(words: str, status: int) -> PerennialError:
    """Return the error for what the engine said with this HTTP status."""
    words = words if words.endswith(".") else f"{words}."
    if is_full(words):
        return StorageFull(words, remedy=_FULL)
    if status == 409:  # noqa: PLR2004
        return Conflict(
            words,
            remedy="look what it is (`docker ps -a`); rename or remove it, then clear this task.",
        )
    if status >= 500:  # noqa: PLR2004
        return Unreachable(
            words, remedy="look at the engine's log; a retry goes on where this stopped."
        )
    return GiveUp(
        words,
        remedy=(
            "look at the settings of the engine, of the door to it, and of its networks and volumes"
            " (docs/operate.md)."
        ),
    )


def _container(body: dict[str, Any]) -> Container:
    state, config = body["State"], body["Config"]
    return Container(
        id=body["Id"],
        name=str(body["Name"]).lstrip("/"),
        image=body["Image"],
        labels=dict(config.get("Labels") or {}),
        environment=dict(pair.split("=", 1) for pair in config.get("Env") or [] if "=" in pair),
        running=bool(state["Running"]) and not state["Restarting"],
        restarting=bool(state["Restarting"]),
        restarts=int(body.get("RestartCount", 0)),
        exit_code=int(state["ExitCode"]),
        out_of_memory=bool(state["OOMKilled"]),
        trouble=str(state.get("Error") or ""),
    )
