"""Deploy a release as a container of its own behind the gateway, which leads to it once it has
proven itself.

The order is: image, container beside the one that serves, readiness, golden requests, the route,
the public's word. Each may be cut off and made again. What serves is what the route names; a
container that no champion's release has is no more than an attempt.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pipelines.bundle.load import read_golden
from pipelines.bundle.manifest import Release, release_key
from pipelines.deployment import releases
from pipelines.deployment.docker import container as containers
from pipelines.deployment.docker import image as images
from pipelines.deployment.docker import names
from pipelines.deployment.docker.engine import engine_for
from pipelines.deployment.docker.gateway import Gateway
from pipelines.deployment.lock import hold_deployment
from pipelines.deployment.serving_hosts import serving_hosts
from pipelines.errors import GiveUp, PerennialError, Unreachable
from pipelines.ledger import Crown, GateVerdict
from pipelines.settings import without_password
from pipelines.store.sealing import read_entry

if TYPE_CHECKING:
    import contextlib

    from pipelines.context import Context
    from pipelines.deployment.docker.engine import Container, Image, ReleaseEngine
    from pipelines.deployment.serving_client import Serves
    from pipelines.ledger import Champion

DRAIN_SECONDS = 1.0
"""How long what was replaced stays as it is.

Requests that had looked up the old route reach it within milliseconds.
"""

KEPT = 3
"""How many stopped containers of earlier champions are kept, to look at (their logs).

Their images are what a rollback builds on.
"""

ASK_SECONDS = 0.05


class DockerTarget:
    """The engine and the gateway that the settings name, or those that are given."""

    def __init__(self, engine: ReleaseEngine | None = None, gateway: Gateway | None = None) -> None:
        """Remember them; nothing is opened."""
        self._engine = engine
        self._gateway = gateway

    def alone(self, context: Context) -> contextlib.AbstractContextManager[object]:
        """Hold off other deployments of the model: of two, the second waits."""
        return hold_deployment(context)

    def take(self, context: Context, release: Release) -> dict[str, Any]:
        """Have the release serve and return its image's id; it never serves unproven.

        Raises Refused with the container's log, Conflict where its name is taken, GiveUp where the
        serving image is missing, Unreachable or StorageFull. What served before serves on; of the
        release nothing is left then.
        """
        engine, gateway = self._parts(context)
        name = names.container_name(release.model, release.number)
        before = _before(context, gateway, release)
        try:
            image = images.build_image(
                engine, context.settings, context.ports.store, release, _verdict(context, release)
            )
            self._prove_release(context, release, image)
            gateway.lead(release.model, name)
            _await_public_answer(context, release)
        except Exception as error:
            self._undo(context, release, before, final=isinstance(error, GiveUp))
            raise
        return {"image": image.id}

    def follow(self, context: Context, champion: Champion, *, under_way: str) -> list[str]:
        """Lead to the champion's container, have it run, and stop all others.

        Return in words what had to be done.
        """
        engine, gateway = self._parts(context)
        model = context.spec.name
        spared_releases = {champion.release, *_under_way(context, champion, under_way)}
        leads, file_route = gateway.leads(model), gateway.written_route(model)
        if leads in {
            names.container_name(model, number) for number in spared_releases - {champion.release}
        } and _runs(engine, leads):
            return self._stop_others(context, spared_releases, champion)
        try:
            changes = self._serve_champion(
                context,
                champion,
                leads if leads == file_route else f"{leads} (in the file: {file_route})",
            )
        except GiveUp as error:
            if not under_way:
                raise
            return [
                f"the champion's container cannot serve: {error.message}"
            ]  # what is under way may mend it
        return changes + self._stop_others(context, spared_releases, champion)

    def settle(self, context: Context, champion: Champion) -> None:
        """Drain and stop what the champion replaced.

        Of the stopped containers the newest few are kept.
        """
        self.follow(context, champion, under_way="")
        engine, _ = self._parts(context)
        own = names.container_name(context.spec.name, champion.release)
        stopped_containers = [
            container
            for container in _containers(engine, context.spec.name)
            if container.name != own
        ]
        for container in sorted(stopped_containers, key=_number)[:-KEPT]:
            engine.remove(container.name)

    def _parts(self, context: Context) -> tuple[ReleaseEngine, Gateway]:
        self._engine = self._engine or engine_for(context.settings)
        self._gateway = self._gateway or Gateway(context.settings.gateway)
        return self._engine, self._gateway

    def _prove_release(self, context: Context, release: Release, image: Image) -> None:
        """Have the release's container run and prove itself."""
        engine, gateway = self._parts(context)
        container = containers.start_container(
            engine, context.settings, release, image, context.spec.resources.serving
        )
        containers.prove(
            engine,
            gateway,
            context.settings,
            release,
            container,
            read_golden(context.ports.store, release.bundle),
        )

    def _undo(self, context: Context, release: Release, before: str | None, *, final: bool) -> None:
        """Put the route back and remove the container; the image too where no retry will need it.

        `follow` mends what fails here.
        """
        engine, gateway = self._parts(context)
        name = names.container_name(release.model, release.number)
        try:
            if name in (gateway.leads(release.model), gateway.written_route(release.model)):
                gateway.lead(release.model, before)
            container = engine.container(name)
            if container is not None and names.is_of(container.labels, release):
                engine.remove(name)
            if final and images.find_image(engine, release):
                engine.remove_image(names.image_name(release.model, release.number))
        except PerennialError as error:
            context.log.warning(
                "%s: release %d could not be put away yet: %s", release.model, release.number, error
            )

    def _serve_champion(self, context: Context, champion: Champion, leads: str | None) -> list[str]:
        """Have the champion's container run, started or built anew where it must be, and lead to
        it.
        """
        engine, gateway = self._parts(context)
        release = _release(context, champion)
        name = names.container_name(release.model, release.number)
        changes = []
        container = containers.own(engine, release)
        runs = container is not None and container.running
        if not runs:
            image = images.build_image(
                engine, context.settings, context.ports.store, release, _verdict(context, release)
            )
            self._prove_release(context, release, image)
        if not runs:
            changes.append(
                f"the container {name} of the champion"
                f" {'did not run' if container else 'was gone'}; it runs"
            )
        if leads != name:
            gateway.lead(release.model, name)
            changes.append(
                f"the gateway led to {leads or 'nothing'}; it leads to {name}, the champion"
            )
        return changes

    def _stop_others(
        self, context: Context, spared_releases: set[int], champion: Champion
    ) -> list[str]:
        """Stop every other container of the model.

        Of releases that never were a champion's nothing is left. Return what was done.
        """
        engine, _ = self._parts(context)
        model = context.spec.name
        champions = context.ports.ledger.entries(model, "champion")
        champion_releases = {e.read(Crown).release for e in champions} | spared_releases
        others = [
            container
            for container in _containers(engine, model)
            if _number(container) not in spared_releases
        ]
        running_containers = [
            container for container in others if container.running or container.restarting
        ]
        if running_containers:
            time.sleep(DRAIN_SECONDS)
        changes = []
        for container in running_containers:
            engine.stop(container.name, containers.GRACE_SECONDS)
            changes.append(
                f"the container {container.name} ran beside the champion's (release"
                f" {champion.release}); it is stopped"
            )
        for container in others:
            if _number(container) not in champion_releases:
                engine.remove(container.name)
                changes.append(
                    f"the container {container.name} never served as champion; it is removed"
                )
        for image in engine.images(names.of_model(model)):
            if _number(image) not in champion_releases:
                engine.remove_image(image.id)
                changes.append(
                    f"release {_number(image)} never served as champion; its image is removed"
                )
        return changes


def _containers(engine: ReleaseEngine, model: str) -> list[Container]:
    every = (engine.container(name) for name in engine.containers(names.of_model(model)))
    return [container for container in every if container is not None]


def _number(item: Container | Image) -> int:
    label = item.labels.get("perennial.release", "")
    return int(label) if label.isdecimal() else 0


def _runs(engine: ReleaseEngine, name: str | None) -> bool:
    container = engine.container(name) if name else None
    return container is not None and container.running


def _under_way(context: Context, champion: Champion, run: str) -> set[int]:
    """Return the number of the release that the run brings, if it has one already."""
    top = releases.highest(context) if run else None
    return (
        {top.number}
        if top is not None
        and top.number > champion.release
        and releases.belongs_to(context, top, run)
        else set()
    )


def _before(context: Context, gateway: Gateway, release: Release) -> str | None:
    """Return the container to go back to.

    The one that the gateway leads to, or after a crash behind the switch the champion's.
    """
    leads = gateway.leads(release.model)
    if leads != names.container_name(release.model, release.number):
        return leads
    champion = context.ports.ledger.champion(release.model)
    return names.container_name(release.model, champion.release) if champion else None


def _release(context: Context, champion: Champion) -> Release:
    """Return the champion's release as it was published."""
    model = context.spec.name
    release = read_entry(context.ports.store, release_key(model, champion.release), Release)
    return release or Release(
        model=model,
        number=champion.release,
        version=champion.version,
        bundle=champion.bundle,
        reason="the champion",
    )


def _verdict(context: Context, release: Release) -> str:
    """Return the gate's verdict on the release's version, for its label."""
    verdicts = [e.decision for e in context.ports.ledger.entries(release.model, "verdict")]
    own = [v for v in verdicts if isinstance(v, GateVerdict) and v.version == release.version]
    return own[-1].verdict if own else ""


def _await_public_answer(context: Context, release: Release) -> None:
    """Return when the public is answered by the release.

    Raises Unreachable where it is not in time.
    """
    import tenacity

    hosts = serving_hosts(context.settings)
    url = ", ".join(map(without_password, context.settings.serving_urls))
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(context.settings.deploy_timeout_seconds),
        wait=tenacity.wait_fixed(ASK_SECONDS),
        retry=tenacity.retry_if_exception_type(Unreachable),
        reraise=True,
    )
    retrying(lambda: _expect_served(hosts.serves(release.model), release, url))


def _expect_served(says: Serves, release: Release, url: str) -> None:
    """Raise Unreachable where another release answers."""
    if (says.release, says.version) != (release.number, release.version):
        raise Unreachable(
            f"The gateway was told to lead to release {release.number} of {release.model}, but"
            f" release {says.release or '?'} answers at {url}.",
            remedy=(
                "see that PERENNIAL_SERVING_URL is the gateway's and PERENNIAL_GATEWAY its folder;"
                " then clear this task."
            ),
        )
