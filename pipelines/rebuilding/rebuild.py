"""Build a version again from what the ledger says that it was made from, and compare.

Nothing that serves, and nothing that was kept, is touched: see `workshop`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.bundle.load import read_manifest
from pipelines.comparison.version_facts import find_bundle
from pipelines.environments.ready import read_lock
from pipelines.errors import Corrupted, GiveUp, RequestError
from pipelines.intervals import iso
from pipelines.ledger import GateVerdict, erasures_of
from pipelines.rebuilding import build, compare
from pipelines.rebuilding.circumstances import (
    causes,
    environment_causes,
    folder_note,
    way_back,
)
from pipelines.rebuilding.outcome import Check, Rebuild
from pipelines.rebuilding.workshop import workshop
from pipelines.recipes import files_of, read_recipe

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.ledger import MadeFrom
    from pipelines.recipes import Recipe
    from pipelines.refs import Ref


class NotRecorded(RequestError):
    """What a version was made from is not there: it was never kept, or people were erased."""


def rebuild(context: Context, version: str, *, from_folder: bool = False) -> Rebuild:
    """Return how a version comes out when it is built again.

    With `from_folder` the model's folder is taken as it is now, else as it was recorded.

    Raises RequestError where there is no such version, NotRecorded where what it was made from is
    not known, Corrupted where what is known was damaged.
    """
    verdict, made_from = find_verdict(context, version)
    _refuse_erased(context, version)
    bundle = _bundle_of(context, version, verdict)
    try:
        recipe = read_recipe(context.ports.store, made_from.recipe)
        bench = _Bench(context, recipe, verdict, bundle)
        bench.run(_files(context, recipe, from_folder=from_folder))
    except Corrupted as error:
        raise Corrupted(
            f"Version {version} of {context.spec.name} cannot be built again, for what it was made"
            f" from is not whole: {error.message}",
            remedy="restore it from a backup; `perennial doctor` names all that is damaged.",
        ) from error
    was_not_so = causes(context, recipe, from_folder=from_folder)
    was_not_so += environment_causes(context, recipe, bench.required)
    notes = [] if from_folder else folder_note(context, recipe)
    notes += [*_uncompared(context, verdict, bundle), *way_back(recipe, was_not_so)]
    return Rebuild(
        model=context.spec.name,
        version=version,
        candidate=verdict.candidate,
        features_revision=verdict.features_revision,
        made_from=made_from,
        checks=bench.checks,
        causes=was_not_so,
        notes=notes,
        rows=bench.rows,
        identical=bench.identical,
        seconds=bench.clock.seconds,
    )


def _refuse_erased(context: Context, version: str) -> None:
    """Raise NotRecorded where rows that the version learnt from were erased."""
    erasures = erasures_of(context.ports.ledger, context.spec.name, version)
    if erasures:
        raise NotRecorded(
            f"Version {version} of {context.spec.name} cannot be built again: rows that it learnt"
            f" from were erased (entry {erasures[-1].seq}, {iso(erasures[-1].at)}).",
            remedy=f"trigger retrain_{context.spec.name}; the next version can be built again.",
        )


def find_verdict(context: Context, version: str) -> tuple[GateVerdict, MadeFrom]:
    """Return a version's verdict, and what it was made from. Raises RequestError, NotRecorded."""
    model = context.spec.name
    decisions = [entry.decision for entry in context.ports.ledger.entries(model, "verdict")]
    verdicts = [d for d in decisions if isinstance(d, GateVerdict) and d.version]
    found = [verdict for verdict in verdicts if verdict.version == version]
    if not found:
        known = ", ".join(dict.fromkeys(verdict.version for verdict in verdicts)) or "none yet"
        raise RequestError(f"{model} has no version {version!r}.", remedy=f"versions: {known}.")
    verdict = next((v for v in reversed(found) if v.made_from), found[-1])
    if verdict.made_from is None:
        raise NotRecorded(
            f"Version {version} of {model} cannot be built again: it was judged before verdicts"
            " kept the files, the packages and the plan that a version is made from.",
            remedy="the next version can be; its features revision is"
            f" {verdict.features_revision}.",
        )
    return verdict, verdict.made_from


def _bundle_of(context: Context, version: str, verdict: GateVerdict) -> Ref | None:
    if verdict.verdict == "refuse":
        return None
    try:
        return find_bundle(context, version)
    except RequestError:
        return None


def _uncompared(context: Context, verdict: GateVerdict, bundle: Ref | None) -> list[str]:
    """Return in words what is not compared because there is none of it."""
    version = verdict.version
    if bundle is None:
        why = "was refused" if verdict.verdict == "refuse" else "was never released"
        return [f"Version {version} {why}: only its features and its training are compared."]
    if read_manifest(context.ports.store, bundle).onnx is None:
        text = f"Version {version} serves natively: there are no ONNX bytes, so its answers are"
        return [f"{text} compared, and what else its bundle says."]
    return []


def _files(context: Context, recipe: Recipe, *, from_folder: bool) -> dict[str, bytes]:
    if from_folder:
        return {name: path.read_bytes() for name, path in files_of(context).items()}
    return {name: context.ports.store.get(ref) for name, ref in recipe.files.items()}


class _Bench:
    """One rebuild at work: what was checked so far, and how long it took."""

    def __init__(
        self, context: Context, recipe: Recipe, verdict: GateVerdict, bundle: Ref | None
    ) -> None:
        """Begin; `context` is that of what was recorded."""
        self._recorded, self._recipe = context, recipe
        self._verdict, self._bundle = verdict, bundle
        self.checks: list[Check] = []
        self.rows = self.identical = 0
        self.required = ""
        self.clock = build.Clock()

    def run(self, files: dict[str, bytes]) -> None:
        """Build and compare, part by part; a part that fails is a difference, and the last one."""
        part = "folder"
        try:
            with workshop(self._recorded, files) as context:
                if context.environment is not None:
                    self.required = read_lock(context.environment, context.ports.store)
                for part, work in (("features", self._features), ("training", self._training)):
                    self._recorded.log.info("building again: %s", part)
                    work(context)
                    self.clock.stop(part)
                if self._bundle is not None:
                    part = "package"
                    self._recorded.log.info("building again: %s", part)
                    self._package(context, self._bundle)
                    self.clock.stop(part)
        except Corrupted:
            raise
        except GiveUp as error:
            self.checks.append(Check(name=part, equal=False, words=f"failed: {error}"))

    def _features(self, context: Context) -> None:
        self._built, files = build.build_features(context, self._recipe)
        self.checks += compare.compare_features(self._recorded, self._recipe, files)

    def _training(self, context: Context) -> None:
        self._trained = build.train_again(context, self._recipe, self._built)
        self.checks += compare.compare_training(self._recipe, self._trained)
        self.rows = self._trained.rows_holdout
        same = self._trained.predictions.sha256 == self._recipe.learnt.predictions
        self.identical = self.rows if same else 0

    def _package(self, context: Context, bundle: Ref) -> None:
        rebuilt = build.package_again(
            context, self._recipe.run, self._verdict, self._built, self._trained
        )
        manifests = [
            (c.ports.store, read_manifest(c.ports.store, ref))
            for c, ref in ((self._recorded, bundle), (context, rebuilt))
        ]
        self.checks += compare.compare_bundles(*manifests)
        rows = compare.rows_to_ask(context, self._built)
        checks, self.identical = compare.compare_answers(
            self._recorded, bundle, context, rebuilt, rows
        )
        self.checks += checks
        self.rows = rows.num_rows
