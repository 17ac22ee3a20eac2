"""One release in memory, ready to answer: bundle, decoder, and what is told of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from pipelines.bundle.load import OpenBundle, golden_differences, open_bundle
from pipelines.bundle.manifest import Release, release_key
from pipelines.errors import BadData, Corrupted, ModelFailed, PerennialError, Refused
from pipelines.settings import load_settings
from pipelines.signing.signatures import verify_where_required
from pipelines.store.opening import open_store
from pipelines.tasks import answers_probabilities, answers_scores, has_named_classes
from serving.batching import Batcher
from serving.decode import RequestDecoder
from serving.event_log import log
from serving.far_values import refuse_far
from serving.history import SeriesDecoder
from serving.idle import IdlePredictor
from serving.problems import Problem, encode

if TYPE_CHECKING:
    from pipelines.bundle.predictor import Answers, Predictor
    from pipelines.bundle.schema import InputSchema
    from pipelines.settings import Settings
    from pipelines.store.port import Store

SHOWN = 3
"""How many golden differences a refusal tells."""

SLACK = 1e-4
"""How far a sum of float32 probabilities may lie outside [0, 1]."""


class DamagedEntry(Corrupted):
    """A release's entry in the store is not what was written.

    It may be written anew under the same number.
    """


@dataclass(frozen=True)
class LoadedRelease:
    """A release that proved itself.

    `since` is when this process began to serve it (UTC, ISO 8601).
    """

    release: Release
    bundle: OpenBundle
    decoder: RequestDecoder
    since: str
    batcher: Batcher | None = None
    """Gathers requests that wait for a model that is not compiled; None for a compiled one."""
    idle: IdlePredictor | None = None
    """The bundle's predictor where it is dropped while nobody asks; else None."""

    @property
    def name(self) -> dict[str, Any]:
        """What the log says of it."""
        return {"model": self.release.model, "version": self.release.version}

    @property
    def is_dropped(self) -> bool:
        """Whether the model must be opened before it can answer."""
        return self.idle is not None and self.idle.is_dropped

    def wake(self) -> None:
        """Open the model where it was dropped. Raises Problem 503 where that cannot be done now."""
        if self.idle is None:
            return
        try:
            self.idle.wake()
        except (PerennialError, OSError) as error:
            log.error("A model cannot be opened again.", extra={"reason": str(error), **self.name})
            raise Problem(
                503,
                "model_not_loaded",
                f"{self.release.model} {self.release.version} was not asked for a while, and cannot"
                " be opened again now; the server's log tells why.",
                headers={"retry-after": "5"},
            ) from error

    def predictions(self, rows: list[tuple[Any, ...]]) -> list[Any]:
        """Return one prediction per row: a number, label and probabilities, or values by level.

        Raises Problem on invalid output: 422 where a number far outside what was learnt from is
        why, else 500.
        """
        schema = self.bundle.manifest.inputs
        probabilities = answers_probabilities(schema.task)
        try:
            answers = self.bundle.predictor.predict_values(rows)
        except (
            ValueError
        ):  # scikit-learn refuses what became infinite on the way, without telling in which row
            refuse_far(schema.columns, dict(enumerate(rows)))
            raise
        except PerennialError as error:
            log.error("A model's own code failed.", extra={"reason": str(error), **self.name})
            raise Problem(
                503 if isinstance(error, ModelFailed) else 500,
                "model_failed",
                f"The own code of {self.release.model} {self.release.version} failed; the"
                " server's log tells why.",
                headers={"retry-after": "1"} if isinstance(error, ModelFailed) else None,
            ) from error
        if not _are_valid(answers, probabilities=probabilities):
            refuse_far(
                schema.columns,
                {
                    i: row
                    for i, row in enumerate(rows)
                    if not _are_valid(answers[i : i + 1], probabilities=probabilities)
                },
            )
            raise Problem(
                500,
                "model_output_invalid",
                f"{self.release.model} {self.release.version} gave an answer that is no valid"
                " number.",
            )
        if schema.levels:
            names = schema.answer_names
            return [dict(zip(names, row, strict=True)) for row in answers.tolist()]
        if not has_named_classes(schema.task):
            return answers[:, 0].tolist()  # type: ignore[no-any-return]
        classes = schema.classes or []
        return [
            {
                "label": classes[int(p.argmax())],
                "probabilities": dict(zip(classes, p.tolist(), strict=True)),
            }
            for p in answers
        ]

    def decisions(self, answers: list[Any]) -> list[Any] | None:
        """Return what the model decides of answers: by row true or false, or the class's name.

        None where nobody has named a threshold. A probability at the threshold is no decision for
        the positive class.
        """
        manifest = self.bundle.manifest
        if manifest.threshold is None or answers_scores(manifest.inputs.task):
            return None
        negative, positive = manifest.inputs.binary_classes or (False, True)
        value = manifest.threshold.value
        return [positive if answer > value else negative for answer in answers]

    def shown(self, answers: list[Any]) -> list[Any]:
        """Return answers as a caller is told them: of a score also whether it is an anomaly's."""
        manifest = self.bundle.manifest
        if not answers_scores(manifest.inputs.task):
            return answers
        return [{"score": a, "anomaly": a > manifest.threshold_value} for a in answers]


def _are_valid(answers: Answers, *, probabilities: bool) -> bool:
    if not np.isfinite(answers).all():
        return False
    return not probabilities or bool(((answers >= -SLACK) & (answers <= 1 + SLACK)).all())


def open_release(
    store: Store,
    model: str,
    number: int,
    *,
    max_rows: int,
    now: str,
    settings: Settings | None = None,
) -> LoadedRelease:
    """Return the release, verified, loaded and proven on its golden requests.

    Where the settings require a signature it is verified before anything of the bundle is read.

    Raises Untrusted where no signature counts, Corrupted naming the object, DamagedEntry where the
    release's own entry is damaged, BadData for what makes no sense, Refused with the golden
    differences in words.
    """
    release = _read(store, model, number)
    settings = settings or load_settings()
    verify_where_required(
        settings,
        _stores_of_signatures(store, settings),
        model,
        release.version,
        release.bundle,
        datetime.now(UTC),
    )
    seconds = settings.own_code_answer_seconds
    bundle = open_bundle(store, release.bundle, settings, seconds=seconds)
    manifest = bundle.manifest
    if (manifest.model, manifest.version) != (model, release.version):
        raise BadData(
            f"Release {number} of {model} {release.version} names the bundle of {manifest.model}"
            f" {manifest.version}."
        )
    batcher = None if manifest.compiled else Batcher()
    decoder = _decoder(manifest.inputs, max_rows)
    loaded_release = LoadedRelease(release, bundle, decoder, now, batcher)
    _refuse_unaskable(loaded_release)
    _prove(bundle)
    if not settings.serving_idle_seconds:
        return loaded_release
    idle = IdlePredictor(bundle.predictor, partial(_reopen, store, release, settings, seconds))
    return replace(loaded_release, bundle=replace(bundle, predictor=idle), idle=idle)


def _reopen(store: Store, release: Release, settings: Settings, seconds: float) -> Predictor:
    """Return the predictor of a release that has served here before, verified and proven again."""
    begin = time.monotonic()
    opened = open_bundle(store, release.bundle, settings, seconds=seconds)
    _prove(opened)
    took = round(time.monotonic() - begin, 3)
    log.info("Model opened again.", extra={"model": release.model, "seconds": took})
    return opened.predictor


def _prove(bundle: OpenBundle) -> None:
    """Raise Refused where the bundle does not answer its golden requests as it was packaged."""
    differences = golden_differences(bundle)
    if differences:
        more = f" (and {len(differences) - SHOWN} more)" if len(differences) > SHOWN else ""
        raise Refused(
            f"The model does not answer as it was packaged: {'; '.join(differences[:SHOWN])}{more}."
        )


def _stores_of_signatures(store: Store, settings: Settings) -> list[Store]:
    """Return where signatures are looked for.

    Beside the release, and in the store: a release's image lacks those that were made after it.
    """
    if settings.releases == settings.store:
        return [store]
    return [store, open_store(settings.store, settings)]


def _decoder(schema: InputSchema, max_rows: int) -> RequestDecoder:
    if schema.series is None:
        return RequestDecoder(schema, max_rows)
    return SeriesDecoder(schema, schema.series, max_rows)


def _read(store: Store, model: str, number: int) -> Release:
    key = release_key(model, number)
    try:
        data = store.read(key)
    except Corrupted as error:
        raise DamagedEntry(
            error.message, remedy=f"`perennial reconcile {model}` writes it anew from the ledger."
        ) from error
    if data is None:
        raise BadData(f"The entry {key} is gone.")
    try:
        release = Release.model_validate_json(data)
    except ValidationError as error:
        raise BadData(
            f"The entry {key} is no release: {error.error_count()} fields are wrong."
        ) from error
    if (release.model, release.number) != (model, number):
        raise BadData(f"The entry {key} holds release {release.number} of {release.model}.")
    return release


def _refuse_unaskable(loaded_release: LoadedRelease) -> None:
    """Raise where a caller could not even send a golden request.

    Then schema and model do not belong together.
    """
    for number, row in enumerate(loaded_release.bundle.golden.rows):
        try:
            loaded_release.decoder.decode(encode({"row": row}))
        except Problem as problem:
            raise BadData(
                f"Golden request {number} does not fit the input schema: field {problem.field}."
            ) from problem
