"""What a challenger was made from, kept at its verdict, so that it can be made again.

The features version and the plan, the results of training, every file that the user wrote, the lock
and the versions of all packages. The ledger's verdict refers to it, so that nobody can change it.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pipelines.checkout import commit_of
from pipelines.environments.record import running_python
from pipelines.errors import Corrupted
from pipelines.ledger import MadeFrom
from pipelines.messages import FeaturesResult, Threshold, TrainResult
from pipelines.refs import Ref, Sha256, Value, canonical, digest, sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.context import Context
    from pipelines.messages import GateRequest
    from pipelines.store.port import Store

RECIPE_FORMAT: Final = 1
LOCK = "requirements.txt"


class Learnt(Value):
    """What training came to for the challenger, as its result said it.

    `predictions` is the hash of those on the held-out rows: the object itself may be pruned.
    """

    candidate: str
    params: dict[str, Any]
    settings_tried: int
    cv_score: float | None
    fold_scores: list[float]
    metrics: dict[str, float | None]
    rows_train: int
    rows_holdout: int
    threshold: Threshold | None
    predictions: Sha256
    search_ended_by: Literal["trials", "minutes"]


class Recipe(Value):
    """All that a version was made from.

    `files` are those that `Context.code` is the hash of, and model.yaml, by their path below the
    home. `packages` is the JSON of all installed packages with their versions: one object for all
    recipes of an environment. `environment` names the packages beside the lock.
    """

    format: Literal[1] = RECIPE_FORMAT
    model: str
    run: str
    features: FeaturesResult
    learnt: Learnt
    files: dict[str, Ref]
    packages: Ref
    python: str
    perennial: Sha256
    commit: str = ""
    image: str = ""
    environment: Sha256 | None = None


def keep_recipe(context: Context, request: GateRequest, candidate: str) -> MadeFrom:
    """Keep the recipe of a run's challenger and return what the ledger says of it."""
    store, settings = context.ports.store, context.settings
    files = {name: store.put(path.read_bytes()) for name, path in files_of(context).items()}
    recipe = Recipe(
        model=context.spec.name,
        run=request.run,
        features=request.features,
        learnt=learnt_of(next(t for t in request.train if t.candidate == candidate)),
        files=files,
        packages=store.put(canonical(installed_packages()), ".json"),
        python=running_python(),
        perennial=perennial_hash(),
        commit=commit_of(settings.home) or "",
        image=settings.image,
        environment=context.environment.sha256 if context.environment else None,
    )
    return MadeFrom(
        commit=recipe.commit,
        lock=files[LOCK].sha256 if LOCK in files else "",
        code=context.code,
        perennial=recipe.perennial,
        seed=context.spec.train.seed,
        recipe=store.put(canonical(recipe), ".json"),
    )


def learnt_of(result: TrainResult) -> Learnt:
    """Return what a result of training says that must come out equal again."""
    fields = result.model_dump(include=set(Learnt.model_fields) - {"predictions"})
    return Learnt.model_validate({**fields, "predictions": result.predictions.sha256})


def read_recipe(store: Store, ref: Ref) -> Recipe:
    """Return a kept recipe, verified. Raises Corrupted where it is gone or was changed."""
    try:
        return Recipe.model_validate_json(store.get(ref))
    except ValueError as error:
        raise Corrupted(
            f"The recipe {ref.uri} makes no sense to this version of Perennial.",
            remedy="rebuild with the version of Perennial that made it, or a newer one.",
        ) from error


def files_of(context: Context) -> dict[str, Path]:
    """Return the files that the user wrote for a model, and the lock, by their path below home."""
    folder, home = context.folder, context.settings.home
    nets = [folder / c.onnx for c in context.spec.candidates if c.onnx]
    paths = [
        *sorted(folder.glob("*.py")),
        folder / "model.yaml",
        folder / "schema.yaml",
        *context.suites.values(),
        *nets,
        home / LOCK,
    ]
    return {str(p.relative_to(home)): p for p in paths if p.is_file()}


def installed_packages() -> dict[str, str]:
    """Return the versions of all packages that this process can import, by name."""
    return dict(_installed_packages())


@cache
def _installed_packages() -> dict[str, str]:
    # Half a second of reading small files, and what a process can import does not change.
    found = {d.metadata["Name"]: d.version for d in distributions()}
    return {name: found[name] for name in sorted(found) if name}


@cache
def perennial_hash() -> str:
    """Return the hash of Perennial's own code, which also an image without a checkout has."""
    root = Path(__file__).parent
    return digest({str(p.relative_to(root)): sha256(p.read_bytes()) for p in _sources(root)})


def _sources(root: Path) -> list[Path]:
    return sorted(root.rglob("*.py"))


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return what differs between two mappings by name: the value before and now, "" for none."""
    names = sorted({*before, *now})
    pairs = {name: (before.get(name, ""), now.get(name, "")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
