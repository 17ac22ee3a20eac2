"""A bundle: everything that serving needs of one version, content-addressed through one manifest of
hashes.

The manifest is an object of the store; so are its files. Whoever holds the manifest's Ref can
verify every byte before anything is loaded. Files by role: `model.onnx` or `model.skops`,
`golden.json`.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from pipelines.bundle.schema import InputSchema
from pipelines.environments.record import EnvironmentRecord
from pipelines.intervals import Interval
from pipelines.messages import Sides, Threshold
from pipelines.refs import Name, Ref, Value

BUNDLE_FORMAT: Final = 1
RELEASE_FORMAT: Final = 1
DEFAULT_THRESHOLD: Final = 0.5

SERVED: Final = "served"
"""Where each model's name is entered once, so that the server knows which releases to follow.

Apart from the releases themselves, because a model may have any name.
"""


class Golden(Value):
    """Requests with the answers that the packaged model gave, one row at a time.

    `rows` are as a caller sends them.
    """

    rows: list[dict[str, float | int | bool | str | None]]
    answers: list[list[float]]
    """By row: [value] for regression, [probability] for binary, one probability per class for
    multiclass, one value per level for quantiles."""


class Reference(Value):
    """What a watch compares with.

    A seeded sample of what the version was fitted on, and what its ancestor said of the holdout.
    """

    rows: Ref
    """Parquet: the event time and the inputs of up to 50,000 rows (10,000 in earlier bundles),
    personal ones left out."""
    holdout: Ref
    """Parquet: event_time, prediction (multiclass: the label with the highest probability;
    quantiles: the median) and target of the held-out rows, and since answers are compared row by
    row their truth and answers as metrics take them."""
    judged: Ref | None = None
    """Parquet: up to 50,000 held-out rows with the event time, truth, answers, and the inputs
    (personal ones left out); None in earlier bundles, and of tasks without a loss of a row."""


class Settings(Value):
    """An estimator, its parameters and how text inputs are encoded, as the spec had them."""

    estimator: str
    params: dict[str, Any]
    encode: str | None = None
    corrected_on: float | None = None
    """Of quantiles whose coverage is promised: the share of the rows on which they are corrected.
    """
    made_of: dict[str, Any] = Field(default_factory=dict)
    """The candidate as the spec had it: its steps, its calibration, and the candidates of which it
    is made. Empty in bundles that were made before it was kept.
    """


class ClusterNames(Value):
    """What the clusters of a version are called, and how that follows from the champion's names."""

    names: list[str]
    """In the order of the answers."""
    used: int
    """How many names any version has had so far: the next new one is this number."""
    champion: str | None = None
    """The version that the names were matched with; None where there was none."""
    kept: float | None = None
    """The share of held-out rows that kept their cluster."""
    new: list[str] = Field(default_factory=list)
    """Names that the champion did not have."""
    gone: list[str] = Field(default_factory=list)
    """Names that only the champion had."""


class BundleManifest(Value):
    """What a version is made of and where it comes from.

    It holds no clock: the same inputs give the same manifest.
    """

    format: Literal[1] = BUNDLE_FORMAT
    model: Name
    version: str
    run: str
    candidate: str
    features_revision: str
    fitted_on: Interval
    rows: int
    metrics: dict[str, float | None]
    """The ancestor's scores on the holdout; this fit has seen those rows."""
    inputs: InputSchema
    compiled: bool
    parity: float | None
    decision_gap: float = 0.0
    """How near to the threshold, or to a tie of classes, a probability may lie that the compiled
    model decides otherwise; 0 where it decided all alike, and in earlier bundles.
    """
    why_native: str
    native: Ref
    """The fitted scikit-learn pipeline as a skops file (kept beside the compiled one for comparison
    and rebuilding)."""
    onnx: Ref | None
    golden: Ref
    code: Ref | None = None
    """The model's own code, which the native model is loaded with; None where it has none."""
    reference: Reference | None = None
    """None in bundles made before they were watched."""
    sides: Sides | None = None
    """Of a snapshot: which rows this version has never seen."""
    settings: Settings | None = None
    """How it was fitted, so that it can be fitted again; None in earlier bundles."""
    environment: EnvironmentRecord | None = None
    """The packages that it needs beside the lock; None where it needs none, as in earlier bundles.
    """
    threshold: Threshold | None = None
    """Of a binary model: above which probability it decides for the positive class.

    None where the spec names none, and in earlier bundles: then it is 0.5, and no decision is
    answered.
    """

    clusters: ClusterNames | None = None
    """Of a clustering: the names of its clusters; None for other tasks."""
    learnt_of: int | None = Field(default=None, exclude_if=lambda value: value is None)
    """Of how many rows its `rows` are a sample; None where they are all, as in earlier bundles."""

    @property
    def threshold_value(self) -> float:
        """Above which probability the version decides for the positive class."""
        return self.threshold.value if self.threshold else DEFAULT_THRESHOLD

    @property
    def packages(self) -> EnvironmentRecord | None:
        """The environment that answering needs; None where it answers without one.

        What is compiled does, and what is made of Perennial's lock alone.
        """
        return self.environment if not self.compiled and self.code is not None else None

    @property
    def files(self) -> list[Ref]:
        """The objects that answering needs, all verified before anything is loaded."""
        lock = self.environment.lock if self.environment else None
        refs = (self.native, self.onnx, self.golden, self.code, lock)
        return [ref for ref in refs if ref is not None]


class Release(Value):
    """What one model's endpoint serves from now on.

    Written once as releases/<model>/<number, 8 digits> in the store.

    The server follows the highest number. A release that it refuses stays listed; `deploy` then
    writes the next one, which points back.
    """

    format: Literal[1] = RELEASE_FORMAT
    model: Name
    number: int
    version: str
    bundle: Ref
    reason: str


def release_key(model: str, number: int) -> str:
    """Return the store's key of a release."""
    return f"releases/{model}/{number:08d}"


def served_key(model: str) -> str:
    """Return the store's key of a model's entry in the index of what is served."""
    return f"{SERVED}/{model}"
