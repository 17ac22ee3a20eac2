"""The steps of the loop: each is declared here, once, and nowhere else.

To add a step, write one module beside this one, with a function `run(context, request)`, and its
declaration below. Commands, DAGs, places, links and the demo read the declaration. It is light,
because Airflow's plugin imports it when it parses the DAGs: it names what steps take and give, and
imports none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from pipelines import messages
from pipelines.verdicts import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.fields import FieldInfo

    from pipelines.refs import Value

TIMEOUT = timedelta(hours=2)
"""The longest that one try of a task may take, where its step says nothing else."""


@dataclass(frozen=True)
class PageLink:
    """A link to the HTML page of a kind that the step publishes for its run."""

    kind: Literal[
        "validation",
        "verdict",
        "drift",
        "evidently",
        "profile",
        "comparison",
        "versions",
        "proof",
        "replay",
        "card",
    ]
    title: str = "Page"
    of: str | None = None
    """Of a card: the step whose result names the version (None: the step itself)."""


@dataclass(frozen=True)
class MlflowLink:
    """A link to an MLflow run, whose id stands in a field of the step's result, or of the result of
    the step `of`, which its request holds.
    """

    field: str
    of: str | None = None


Link = PageLink | MlflowLink | Literal["history", "retraining"]
"""`history` is the page of the model's decisions, `retraining` the run that a drift run started."""


@dataclass(frozen=True)
class Step:
    """One step: the module of its name in its room, and the command of its name.

    `helps`: another step would do the same alone, so that nothing is lost where this one fails.
    `deploys`: it makes containers itself, or sees to it that the champion's runs. `signs`: it needs
    the key that signs bundles. `by_hand`: a person may run it as a command, without a request.
    `words` put its result into a log. `room` is this folder, but for a step that runs others and so
    stands above them.
    """

    name: str
    help: str
    request: type[Value]
    result: type[Value]
    timeout: timedelta = TIMEOUT
    helps: bool = False
    deploys: bool = False
    signs: bool = False
    by_hand: bool = True
    links: tuple[Link, ...] = ()
    words: Callable[[Any], list[words.Line]] | None = None
    room: str = "pipelines.steps"

    @property
    def module(self) -> str:
        """The module with its `run`."""
        return f"{self.room}.{self.name}"

    @property
    def reads_conf(self) -> bool:
        """Whether it sees what a trigger sent; every other one sees the results of steps alone."""
        return "conf" in self.request.model_fields

    @property
    def needs(self) -> tuple[str, ...]:
        """The steps whose results its request may hold, each in the field of its name."""
        return tuple(name for name in STEPS if name in self._fields)

    @property
    def required(self) -> tuple[str, ...]:
        """Those of them without which it cannot run."""
        return tuple(name for name in self.needs if self._fields[name].is_required())

    @property
    def _fields(self) -> dict[str, FieldInfo]:
        """The fields of its request, as JSON names them."""
        fields = self.request.model_fields
        return {field.alias or name: field for name, field in fields.items()}


_STEPS = (
    Step(
        "ingest",
        "Keep the raw rows that a run needs, a batch per interval.\n\nA batch never changes.",
        messages.IngestRequest,
        messages.IngestResult,
    ),
    Step(
        "validate",
        "Hold the batches against their expectations.\n\n"
        "What breaks a critical one goes to quarantine.",
        messages.ValidateRequest,
        messages.ValidateResult,
        links=(PageLink("validation"),),
    ),
    Step(
        "features",
        "Build the features and keep them as a DVC-tracked version.",
        messages.FeaturesRequest,
        messages.FeaturesResult,
        links=(PageLink("profile", "Profile"), MlflowLink("parent_run")),
    ),
    Step(
        "train",
        "Train the candidates and log them in MLflow.\n\nOr one of them: --candidate.",
        messages.TrainRequest,
        messages.TrainResult,
        timeout=timedelta(hours=6),
        links=(MlflowLink("run_id"),),
    ),
    Step(
        "search",
        "Try settings of a candidate beside its training.",
        messages.SearchRequest,
        messages.SearchHelp,
        timeout=timedelta(hours=6),
        helps=True,
        by_hand=False,
    ),
    Step(
        "gate",
        "Choose the challenger and promote or refuse it.\n\nThe verdict has its reasons in words.",
        messages.GateRequest,
        messages.GateResult,
        deploys=True,
        links=(
            PageLink("verdict"),
            PageLink("card", "Model card"),
            PageLink("comparison", "Comparison"),
            MlflowLink("run_id"),
        ),
        words=words.gate,
    ),
    Step(
        "approve",
        "Write down whether a person agrees to a promotion.\n\nWithout a yes it is a refusal.",
        messages.ApproveRequest,
        messages.GateResult,
        by_hand=False,
        links=(
            PageLink("verdict"),
            PageLink("card", "Model card", of="gate"),
            MlflowLink("run_id", of="gate"),
            "history",
        ),
        words=words.approval,
    ),
    Step(
        "package",
        "Compile the promoted challenger and make its bundle.\n\n"
        "It is fitted again on all rows first; that the compiled model answers the same is proven.",
        messages.PackageRequest,
        messages.PackageResult,
        signs=True,
        links=(
            PageLink("versions", "Against the champion"),
            MlflowLink("run_id", of="gate"),
        ),
    ),
    Step(
        "deploy",
        "Hand the bundle to the server and make it the champion.",
        messages.DeployRequest,
        messages.DeployResult,
        deploys=True,
        links=(MlflowLink("run_id", of="gate"), "history"),
    ),
    Step(
        "close",
        "End the run in MLflow, and write down what came of it.",
        messages.CloseRequest,
        messages.CloseResult,
        deploys=True,
        links=(MlflowLink("parent_run", of="features"), "history"),
    ),
    Step(
        "rollback",
        "Go back to a release that served before.",
        messages.RollbackRequest,
        messages.DeployResult,
        deploys=True,
        links=("history",),
        words=words.rollback,
    ),
    Step(
        "drift",
        "Say whether a window has drifted; start nothing.",
        messages.DriftRequest,
        messages.DriftResult,
        links=(PageLink("drift"), PageLink("evidently", "Evidently"), MlflowLink("run_id")),
        words=words.drift,
    ),
    Step(
        "decide",
        "Decide whether a window starts a retraining.\n\nThe request is entered into the ledger.",
        messages.DecideRequest,
        messages.DecideResult,
        by_hand=False,
        links=("history",),
    ),
    Step(
        "report",
        "Say what came of a window.",
        messages.ReportRequest,
        messages.ReportResult,
        by_hand=False,
        links=(PageLink("drift"), "retraining", "history"),
        words=words.report,
    ),
    Step(
        "prove",
        "Build the champion again, and fail where it differs.",
        messages.ProveRequest,
        messages.ProveResult,
        timeout=timedelta(hours=6),
        by_hand=False,
        links=(PageLink("proof"), "history"),
        words=words.prove,
        room="pipelines.rebuilding",
    ),
    Step(
        "plan_replay",
        "Cut a model's past into parts, for tasks side by side.",
        messages.PlanReplayRequest,
        messages.PlanReplayResult,
        timeout=timedelta(hours=24),
        by_hand=False,
        room="pipelines.replay",
    ),
    Step(
        "prepare_replay",
        "Make and score the versions of one part of a model's past.",
        messages.PrepareReplayRequest,
        messages.PrepareReplayResult,
        timeout=timedelta(hours=24),
        by_hand=False,
        room="pipelines.replay",
    ),
    Step(
        "replay",
        "Live through a model's past under several policies.",
        messages.ReplayRequest,
        messages.ReplayResult,
        timeout=timedelta(hours=24),
        by_hand=False,
        links=(PageLink("replay"), "history"),
        words=words.replay,
        room="pipelines.replay",
    ),
)

STEPS = {step.name: step for step in _STEPS}
"""The steps by name: of a retraining, of a rollback, of a drift run, of a proof and of a replay."""
