"""From a place to the files of a model: looks, plans, and writes the texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.onboarding.batches import split_batches
from pipelines.onboarding.features_text import features_text
from pipelines.onboarding.folder import check_free, check_name, write_folder
from pipelines.onboarding.frames import frame_of
from pipelines.onboarding.look import look_at
from pipelines.onboarding.model_text import model_text
from pipelines.onboarding.places import place_of
from pipelines.onboarding.plan import plan_model
from pipelines.onboarding.queries import by_interval
from pipelines.onboarding.suite import draw_suite
from pipelines.spec.folders import SPEC_FILE
from pipelines.spec.load import parse_spec
from pipelines.spec.schema import SCHEMA_FILE, Column, Schema, write_schema

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.onboarding.draft import Draft
    from pipelines.onboarding.plan import Wishes
    from pipelines.onboarding.talk import Talk
    from pipelines.onboarding.typed import Look
    from pipelines.settings import Settings


@dataclass(frozen=True)
class Request:
    """What the command line names: the place, options of reading, wishes."""

    name: str
    place: str
    database: str | None
    options: dict[str, Any]
    wishes: Wishes
    force: bool = False


def start_model(request: Request, settings: Settings, talk: Talk) -> list[str]:
    """Write the folder of a new model and its suite; return the paths.

    Raises GiveUp, before anything is written, where the data cannot be understood.
    """
    check_name(request.name)
    check_free(settings, request.name, force=request.force)
    place = place_of(request.place, request.database, settings.home)
    look = look_at(place, request.options, talk, settings.state / "cache" / "http")
    draft = plan_model(request.name, look, request.wishes, place.name, talk)
    if place.kind == "sql" and draft.times:
        draft.source["query"] = by_interval(place.source, draft.times.column)
    frame = frame_of(look)
    suite = draw_suite(
        _parts(frame, draft),
        event_time=draft.times.column if draft.times else None,
        key=draft.key,
        leave_out=draft.identifiers,
    )
    text = model_text(draft)
    # A fault here is ours: it must show before a folder is written.
    parse_spec(text.encode(), f"models/{request.name}/{SPEC_FILE}")
    files = {
        SPEC_FILE: text,
        "features.py": features_text(draft),
        SCHEMA_FILE: write_schema(_schema(look, draft)),
    }
    return write_folder(settings, request.name, files, suite)


def _parts(frame: pd.DataFrame, draft: Draft) -> list[pd.DataFrame]:
    """Return the batches; a snapshot is a single one."""
    if draft.times is not None:
        return split_batches(frame, draft.times.column, draft.times.batch)
    return [frame]


def _schema(look: Look, draft: Draft) -> Schema:
    always = {*draft.key, *([draft.times.column] if draft.times else [])}
    columns = {
        name: Column(type=kind, nullable=name not in always) for name, kind in look.types.items()
    }
    return Schema(tables={"events": columns})
