"""The page of a profile in the store: the model's newest, and that of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.data.batches import newest_snapshots
from pipelines.profiling import BATCHES
from pipelines.profiling.page import render
from pipelines.profiling.profile import profile_model
from pipelines.store.pages import NEWEST, publish_page

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.data.manifests import BatchRef
    from pipelines.profiling.profile import Profile
    from pipelines.refs import FeaturesVersion, Ref


def publish_profile(context: Context, profile: Profile, run: str | None = None) -> Ref:
    """Publish the profile's page as the model's newest, and as that of a run where one made it."""
    store, page = context.ports.store, render(profile).encode()
    for name in (NEWEST, run):
        if name is not None:
            ref = publish_page(store, model=profile.model, kind="profile", run=name, page=page)
    return ref


def publish_run_profile(
    context: Context, batches: list[BatchRef], version: FeaturesVersion, run: str
) -> None:
    """Publish the profile of a run's newest batches, oldest given first.

    A profile decides nothing: where it cannot be made, the log says so, and the run goes on.
    """
    try:
        profile = profile_model(context, _with_earlier(context, batches), version)
        publish_profile(context, profile, run)
    except Exception:  # data may be odd in ways that nobody thought of; the run is worth more
        context.log.warning("the profile of this run could not be made", exc_info=True)


def _with_earlier(context: Context, batches: list[BatchRef]) -> list[BatchRef]:
    """Return the newest of a run's batches; a run on a snapshot is seen beside earlier ones."""
    if not context.spec.is_snapshot:
        return batches[-BATCHES:]
    found = newest_snapshots(context.ports.store, context.spec.name, BATCHES)
    return [b for b in found if b.version <= batches[-1].version][::-1]
