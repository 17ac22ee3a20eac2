"""What is compared: a policy that says when to retrain, with a gate that says what may serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import yaml
from pydantic import StringConstraints, ValidationError, model_validator

from pipelines.errors import RequestError
from pipelines.plain_errors import in_one_line, problems
from pipelines.refs import Value
from pipelines.replay.judging import GateName
from pipelines.spec.drift import Drift
from pipelines.spec.retrain import Retrain, next_strike, retrain_problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import Self

    from pipelines.spec import Spec
    from pipelines.spec.rules import Cause

LARGEST = 100_000
"""Bytes of a policy's file at most."""
MOST = 20
"""Policies that are compared at most."""
BY_WINDOWS = ("change", "performance", "value")
"""What a policy goes by that only a look at a window tells."""
GATES: dict[GateName, str] = {
    "spec": "",
    "better": "only better",
    "not_worse": "not worse",
    "none": "no gate",
}
"""How a contender's gate stands behind its policy's name."""


@dataclass(frozen=True)
class Contender:
    """A policy and its gate.

    It retrains before `every` so many batches (0: not by counting), where `policy` says so of the
    window before, and where `clock` (a schedule, in UTC) has struck since the batch before.
    """

    name: str
    every: int = 0
    gate: GateName = "spec"
    policy: Retrain | None = None
    clock: str | None = None
    own: bool = False
    """Whether it is what the model's spec says."""

    @property
    def looks(self) -> bool:
        """Whether it looks at windows: a live policy starts nothing from a broken one."""
        return self.policy is not None and self.policy.by != "never"

    @property
    def probes(self) -> bool:
        """Whether it goes by what a retraining would gain."""
        return self.policy is not None and self.policy.by == "value"

    @property
    def cause(self) -> Cause:
        """What starts its retrainings, as the gate is told."""
        by_windows = self.policy is not None and self.policy.by in BY_WINDOWS
        return "change" if by_windows else "schedule"

    def counts_to(self, place: int) -> bool:
        """Tell whether it retrains by counting before the batch at this place; 0 is the first."""
        return self.every > 0 and place > 0 and place % self.every == 0

    def has_struck(self, since: datetime, until: datetime) -> bool:
        """Tell whether its clock has struck after a moment and by another one."""
        return self.clock is not None and next_strike(self.clock, since) <= until


NEVER = Contender("never retrain")
ALWAYS = Contender("always refit", 1, "none")
BETTER = Contender("the gate, only better", 1, "better")
DEFAULT = Contender("the gate by default", 1, "spec")


def schedule(every: int, gate: GateName = "spec") -> Contender:
    """Return the contender that retrains before every so many batches."""
    words = "every batch" if every == 1 else f"every {every} batches"
    return Contender(f"{words}, {GATES[gate]}" if GATES[gate] else words, every, gate)


def own_policy(spec: Spec) -> Contender | None:
    """Return what the model's spec says; None where nothing ever retrains it by itself."""
    clock = spec.train.schedule
    if spec.drift is None and clock is None:
        return None
    policy = spec.policy if spec.drift is not None else None
    words = [f"by {policy.by}"] if policy is not None and policy.by != "never" else []
    words += ["train.schedule"] if clock else []
    name = f"the model's own ({' and '.join(words) or 'never'})"
    return Contender(name, policy=policy, clock=clock, own=True)


def usual(spec: Spec) -> list[Contender]:
    """Return what a model's past is lived through with where nobody names anything else."""
    own = own_policy(spec)
    return [NEVER, ALWAYS, DEFAULT, schedule(3), *([own] if own else [])]


class PolicyFile(Value):
    """A policy to try, as its file says it: a `retrain` section, or `every` so many batches."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    retrain: Retrain | None = None
    every: int | None = None
    gate: GateName = "spec"

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.retrain is None) == (self.every is None):
            msg = "write either `retrain: {by: …}` or `every: 3`"
            raise ValueError(msg)
        if self.every is not None and self.every < 1:
            msg = "every: must be 1 or more; `retrain: {by: never}` never retrains"
            raise ValueError(msg)
        return self


def read_policy(path: Path, spec: Spec) -> Contender:
    """Return the contender of a file. Raises RequestError naming the file and what is wrong."""
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise RequestError(f"{path} has {size:,} bytes, which is no policy.")
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RequestError(
            f"{path} cannot be read as a policy: {' '.join(str(error).split())[:300]}.",
            remedy="write YAML such as `retrain: {by: schedule, schedule: monthly}`.",
        ) from error
    return parse_policy(body, spec, name=path.stem, place=str(path))


def parse_policy(body: object, spec: Spec, *, name: str, place: str) -> Contender:
    """Return the contender that a parsed file says; `name` is its name where it has none.

    Raises RequestError naming the place, the key and the remedy.
    """
    if not isinstance(body, dict):
        raise RequestError(
            f"{place} is no policy.", remedy="write `retrain: {by: never}`, or `every: 3`."
        )
    named = {"name": name, **{str(key): value for key, value in body.items()}}
    try:
        found = PolicyFile.model_validate(named)
    except ValidationError as error:
        faults = in_one_line(problems(error, named, PolicyFile))
        raise RequestError(f"{place}: {faults}", remedy="see docs/replay.md.") from error
    policy = found.retrain
    if policy is not None:
        # Beside a policy to try, a cooldown and a clock of the spec's own are none that it repeats.
        looks = spec.drift and Drift(schedule=spec.drift.schedule)
        wrong = retrain_problems(
            policy,
            looks,
            spec.train.model_copy(update={"schedule": None}),
            spec.task,
            has_target=spec.has_target,
            is_snapshot=spec.is_snapshot,
        )
        if wrong and policy.by != "never":
            raise RequestError(
                f"{place}: {'; '.join(each.text for each in wrong)}",
                remedy=f"see docs/replay.md, and `drift` in models/{spec.name}/model.yaml.",
            )
        if policy.cooldown is None and spec.drift is not None:
            policy = policy.model_copy(update={"cooldown": spec.drift.cooldown_of(spec.batch)})
    suffix = f", {GATES[found.gate]}" if GATES[found.gate] else ""
    return Contender(found.name + suffix, found.every or 0, found.gate, policy)


def refuse_same_names(contenders: Sequence[Contender]) -> None:
    """Raise RequestError where two have one name, or where there are too many."""
    names = [contender.name for contender in contenders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RequestError(
            f"Two policies are called {twice[0]!r}.", remedy="give one of them another `name`."
        )
    if len(names) > MOST:
        raise RequestError(f"{len(names)} policies are too many; {MOST} are compared at most.")
