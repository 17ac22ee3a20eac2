"""What a trigger of the replay DAG asks for: hostile input until it is read here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipelines.errors import RequestError
from pipelines.plain_errors import in_one_line, problems
from pipelines.replay.contenders import parse_policy, refuse_same_names, usual
from pipelines.trigger_conf import ReplayConf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pipelines.replay.contenders import Contender
    from pipelines.spec import Spec


@dataclass(frozen=True)
class Asked:
    """Who is compared, and from when to when (None: as far as there are data)."""

    contenders: list[Contender]
    span: tuple[datetime | None, datetime | None]


def read_conf(spec: Spec, body: Mapping[str, Any]) -> Asked:
    """Return what a run's conf asks for: the usual policies, and those that it names.

    Raises RequestError naming the place in the conf that is wrong.
    """
    try:
        conf = ReplayConf.model_validate(body)
    except ValidationError as error:
        faults = in_one_line(problems(error, body, ReplayConf))
        raise RequestError(
            f"The run's conf is wrong: {faults}", remedy="see docs/replay.md."
        ) from error
    given = [
        parse_policy(policy, spec, name=f"policy {place}", place=f"conf: policies.{place}")
        for place, policy in enumerate(conf.policies, start=1)
    ]
    contenders = [*usual(spec), *given]
    refuse_same_names(contenders)
    return Asked(contenders, (conf.start, conf.end))
