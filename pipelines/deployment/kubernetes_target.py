"""Deploy a release as the pods of a Deployment, one by one in the place of those that serve.

The order is: the objects, the pods (each proves itself by golden requests before it is led to), the
public's word. Each may be cut off and made again. What serves is what the Deployment's template
names; the pods that served before go only while others answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipelines.bundle.load import read_manifest
from pipelines.bundle.manifest import Release, release_key
from pipelines.deployment import releases
from pipelines.deployment.kubernetes import names, objects, rollout
from pipelines.deployment.kubernetes.api import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    SERVICE,
    Cluster,
)
from pipelines.deployment.kubernetes.lock import hold_lease
from pipelines.deployment.kubernetes.pod import pod_template
from pipelines.deployment.kubernetes.service import ServiceClient
from pipelines.environments.ready import keep_packages
from pipelines.errors import GiveUp, PerennialError, Unreachable
from pipelines.kubernetes_client import api_client
from pipelines.store.sealing import read_entry

if TYPE_CHECKING:
    import contextlib

    from pipelines.context import Context
    from pipelines.deployment.kubernetes.api import Object
    from pipelines.ledger import Champion
    from pipelines.settings import Settings

PUBLIC_SECONDS: Final = 30.0
"""How long the Service may take to answer by the new pods alone, once they are ready."""
ASK_SECONDS: Final = 0.5


def cluster_of(settings: Settings) -> Cluster:
    """Return the namespace that the settings name; nothing is asked yet. Raises GiveUp."""
    return Cluster(api_client(settings), settings.kubernetes_namespace)


class KubernetesTarget:
    """The cluster that the settings name, or the one that is given."""

    def __init__(self, cluster: Cluster | None = None) -> None:
        """Remember it; nothing is opened."""
        self._given = cluster

    def alone(self, context: Context) -> contextlib.AbstractContextManager[object]:
        """Hold off other deployments of the model on whatever host: of two, the second waits."""
        return hold_lease(self._cluster(context), context.settings, context.spec.name)

    def take(self, context: Context, release: Release) -> dict[str, Any]:
        """Have the release's pods take over and return their image's id.

        Raises Refused where they do not answer as packaged or break, GiveUp where an image or a
        setting is missing, Conflict where their name is taken, Denied, and Unreachable where the
        cluster has no room for them. Then the template is what it was, and what served before
        serves on.
        """
        cluster, settings, model = self._cluster(context), context.settings, release.model
        before = self._before(context, release)
        try:
            template = _new_template(context, release)
            self._apply_all(context, release, template)
            image = rollout.await_pods(cluster, settings, model)
            _await_public_answer(cluster, release)
        except Exception:
            self._undo(context, release, before)
            raise
        return {"image": image} if image else {}

    def follow(self, context: Context, champion: Champion, *, under_way: str) -> list[str]:
        """Bring the Deployment to the champion's release, and have all of its objects there.

        Return in words what had to be done.
        """
        cluster, settings, model = self._cluster(context), context.settings, context.spec.name
        release = _release(context, champion)
        found = rollout.read_own(cluster, settings, DEPLOYMENT, model)
        number = names.release_number(found["spec"]["template"]) if found else 0
        if number != release.number and number in _under_way(context, champion, under_way):
            return []  # its deployment goes on
        try:
            return self._serve_champion(context, release, found)
        except GiveUp as error:
            if not under_way:
                raise
            # What is under way may mend it
            return [f"the champion's pods cannot serve: {error.message}"]

    def settle(self, context: Context, champion: Champion) -> None:
        """Do nothing: what the champion replaced has gone, pod by pod."""

    def remove(self, context: Context, model: str) -> list[str]:
        """Remove all objects of a model; return their names. Another's of that name are kept."""
        cluster, settings = self._cluster(context), context.settings
        return remove_model(cluster, settings, model)

    def _cluster(self, context: Context) -> Cluster:
        self._given = self._given or cluster_of(context.settings)
        return self._given

    def _apply_all(
        self, context: Context, release: Release, template: Object
    ) -> list[tuple[str, rollout.Applied]]:
        """Apply all objects, the Deployment last; return what each came to."""
        cluster, settings, spec = self._cluster(context), context.settings, context.spec
        version = cluster.version_of(AUTOSCALER)
        wanted = [
            ("service", SERVICE, objects.service(settings, release)),
            ("disruption budget", DISRUPTION_BUDGET, objects.disruption_budget(settings, release)),
            ("autoscaler", AUTOSCALER, objects.autoscaler(settings, spec, release, version)),
        ]
        done = [
            (words, rollout.apply(cluster, settings, kind, release.model, body))
            for words, kind, body in wanted
        ]
        body = objects.deployment(settings, spec, release, template)
        return [*done, ("Deployment", rollout.apply_deployment(cluster, settings, spec, body))]

    def _before(self, context: Context, release: Release) -> tuple[Release, Object] | None:
        """Return what to go back to: the release that serves, and its pods' template.

        After a crash behind the switch it is the champion's, as its pods were.
        """
        cluster, settings = self._cluster(context), context.settings
        found = rollout.read_own(cluster, settings, DEPLOYMENT, release.model)
        champion = context.ports.ledger.champion(release.model)
        if found is None or champion is None:
            return None
        served = _release(context, champion)
        template = found["spec"]["template"]
        if names.is_of_release(template, served):
            return served, template
        kept = rollout.template_of(cluster, settings, served)
        return (served, kept) if kept else None

    def _undo(
        self, context: Context, release: Release, before: tuple[Release, Object] | None
    ) -> None:
        """Put the template back; where nothing served before, remove what was made.

        `follow` mends what fails here.
        """
        cluster, settings = self._cluster(context), context.settings
        try:
            if before is not None:
                self._apply_all(context, *before)
            elif context.ports.ledger.champion(release.model) is None:
                remove_model(cluster, settings, release.model)
        except PerennialError as error:
            context.log.warning(
                "%s: release %d could not be put away yet: %s", release.model, release.number, error
            )

    def _serve_champion(
        self, context: Context, release: Release, found: Object | None
    ) -> list[str]:
        """Bring the Deployment to the champion's release; return what had to be done."""
        cluster, settings = self._cluster(context), context.settings
        leads = names.release_number(found["spec"]["template"]) if found else 0
        is_champions = found is not None and names.is_of_release(found["spec"]["template"], release)
        template = (
            found["spec"]["template"]
            if found is not None and is_champions
            else rollout.template_of(cluster, settings, release)
        )
        if template is None:
            template = _new_template(context, release)
        done = self._apply_all(context, release, template)
        changes = [
            _say_changed(words, release.model, applied)
            for words, applied in done
            if applied.is_changed and (words != "Deployment" or is_champions)
        ]
        if not is_champions:
            rollout.await_pods(cluster, settings, release.model)
            was = f"release {leads}" if leads else "nothing"
            changes.append(
                f"the Deployment {names.object_name(release.model)} had the pods of {was}; it has"
                f" those of release {release.number}, the champion"
            )
        return changes


def _new_template(context: Context, release: Release) -> Object:
    """Return the template of a release's pods; what they need is in the store by then.

    Raises what `pod_template` raises, and `keep_packages` where packages cannot be had.
    """
    settings, store = context.settings, context.ports.store
    manifest = read_manifest(store, release.bundle)
    template = pod_template(settings, context.spec, release, manifest)
    if manifest.packages is not None:
        keep_packages(manifest.packages, settings, store)
    return template


def _say_changed(kind: str, model: str, applied: rollout.Applied) -> str:
    done = "was gone; it is made" if applied.was is None else "was not as the settings say; it is"
    return f"the {kind} {names.object_name(model)} {done}"


def remove_model(cluster: Cluster, settings: Settings, model: str) -> list[str]:
    """Remove all objects of a model; return which there were. Raises Conflict for another's."""
    return [
        f"{kind.plural}/{names.object_name(model)}"
        for kind in (AUTOSCALER, DISRUPTION_BUDGET, DEPLOYMENT, SERVICE)
        if rollout.read_own(cluster, settings, kind, model) is not None
        and cluster.remove(kind, names.object_name(model))
    ]


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


def _under_way(context: Context, champion: Champion, run: str) -> set[int]:
    """Return the number of the release that the run brings, if it has one already."""
    top = releases.highest(context) if run else None
    is_its_own = (
        top is not None and top.number > champion.release and releases.belongs_to(context, top, run)
    )
    return {top.number} if top is not None and is_its_own else set()


def _await_public_answer(cluster: Cluster, release: Release) -> None:
    """Return when the Service answers by the release. Raises Unreachable where it does not."""
    import tenacity

    client = ServiceClient(cluster)
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(PUBLIC_SECONDS),
        wait=tenacity.wait_fixed(ASK_SECONDS),
        retry=tenacity.retry_if_exception_type(Unreachable),
        reraise=True,
    )
    retrying(lambda: _expect_served(client, release))


def _expect_served(client: ServiceClient, release: Release) -> None:
    """Raise Unreachable where another release answers."""
    says = client.serves(release.model)
    if (says.release, says.version) != (release.number, release.version):
        raise Unreachable(
            f"All pods are of release {release.number} of {release.model}, but release"
            f" {says.release or '?'} answers behind the service.",
            remedy="look at its endpoints (`kubectl get endpoints`); then clear this task.",
        )
