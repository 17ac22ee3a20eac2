"""Optuna's search: a setting is proposed by what the trials before it gave (TPE).

Optuna's samplers draw from one running generator, whose state a killed process takes with it. Here
each trial has a sampler of its own, seeded by the spec's seed and the trial's number: what it
proposes depends on these and on the finished trials alone. A search that is begun again proposes
the same, and the journal answers for the folds that are done.

With `search: {parallel: n}` settings are proposed in rounds, of which each trial knows what the
rounds before it gave, and which settings its own round holds; so its trials can be fitted at once,
and it does not matter by how many workers.

Bergstra et al. (2011), "Algorithms for Hyper-Parameter Optimization", NeurIPS; Akiba et al. (2019),
"Optuna", KDD.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.spec.search import round_size
from pipelines.training.search.trials import Try

if TYPE_CHECKING:
    from pipelines.training.search.space import Space
    from pipelines.training.search.trials import Trials, Watch

STARTUP = 10
"""Settings drawn at random at most before the first is proposed: at least a third of the budget."""
LATE = 3
"""With so many folds a trial is given up after its second one at the earliest."""


def study(trials: Trials, space: Space, count: int, seed: int) -> None:
    """Try `count` settings. Raises TimeIsUp where the minutes are over."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    startup = max(min(STARTUP, count // 3), 1)
    folds = len(trials.ground.folds)
    spec = trials.ground.spec
    greater = spec.metric_named(spec.train.metric).greater_is_better
    found = optuna.create_study(
        direction="maximize" if greater else "minimize",
        pruner=optuna.pruners.MedianPruner(startup, n_warmup_steps=1 if folds >= LATE else 0),
    )
    distributions = {name: _distribution(values) for name, values in space.items()}
    size = round_size(count, spec.search.parallel)
    for begin in range(0, count, size):
        asked = []
        for number in range(begin, min(begin + size, count)):
            found.sampler = optuna.samplers.TPESampler(
                n_startup_trials=startup, seed=_seed(seed, number)
            )
            asked.append(found.ask(distributions))
        tries = [Try(_setting(space, a.params), watch=_watch(a)) for a in asked]
        for one, trial in zip(asked, trials.run(tries), strict=True):
            state = optuna.trial.TrialState[
                {"complete": "COMPLETE", "pruned": "PRUNED"}.get(trial.state, "FAIL")
            ]
            found.tell(one, trial.mean if trial.state == "complete" else None, state)


def _watch(asked: Any) -> Watch:
    """Return what lets the study give a trial up."""

    def watch(fold: int, mean: float) -> bool:
        asked.report(mean, fold)
        return bool(asked.should_prune())

    return watch


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _distribution(values: Any) -> Any:
    """Return Optuna's distribution; of a list the positions, since its values may be of any
    kind.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, list):
        return CategoricalDistribution(tuple(range(len(values))))
    if values.whole:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def _setting(space: Space, params: dict[str, Any]) -> dict[str, Any]:
    return {
        name: values[params[name]] if isinstance(values, list) else params[name]
        for name, values in space.items()
    }
