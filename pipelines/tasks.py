"""The tasks that a model may have, each declared once: what it learns and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Task = Literal["binary", "multiclass", "regression", "quantiles", "anomaly", "cluster", "forecast"]
Learns = Literal["classes", "values", "nothing"]
"""What the target is to the estimator; nothing where it is not shown to it."""
Answer = Literal["probability", "probabilities", "value", "quantiles", "score"]
"""The form of a model's answer to one row.

- probability: that of the positive class
- probabilities: one by class, or by cluster
- value: a number in the target's unit
- quantiles: one number for each level
- score: a number without a unit, greater where the row is stranger
"""


@dataclass(frozen=True)
class TaskTraits:
    """The one declaration of a task."""

    name: Task
    means: str
    """What the model says of a row, in words."""
    learns: Learns
    answer: Answer
    target: Literal["needed", "optional", "none"] = "needed"

    @property
    def classifies(self) -> bool:
        """Whether it learns classes: folds keep their shares, and answers are probabilities."""
        return self.learns == "classes"

    @property
    def answers_probabilities(self) -> bool:
        """Whether each number of an answer is from 0 to 1."""
        return self.answer in {"probability", "probabilities"}

    @property
    def has_named_classes(self) -> bool:
        """Whether an answer is one probability for each of several classes with a name."""
        return self.answer == "probabilities"

    @property
    def is_wide(self) -> bool:
        """Whether an answer is several numbers, each with a name."""
        return self.answer in {"probabilities", "quantiles"}


TASKS: dict[str, TaskTraits] = {
    t.name: t
    for t in (
        TaskTraits("binary", "the probability of one of two classes", "classes", "probability"),
        TaskTraits("multiclass", "the probability of each class", "classes", "probabilities"),
        TaskTraits("regression", "a number", "values", "value"),
        TaskTraits("quantiles", "numbers that the truth is below so often", "values", "quantiles"),
        TaskTraits("anomaly", "how strange a row is", "nothing", "score", "optional"),
        TaskTraits(
            "cluster", "to which group of rows it belongs", "nothing", "probabilities", "none"
        ),
        TaskTraits("forecast", "a number of a later moment", "values", "value"),
    )
}

CLASSIFY: frozenset[Task] = frozenset({"binary", "multiclass"})
REGRESS: frozenset[Task] = frozenset({"regression", "forecast"})
"""The tasks whose answer is one number in the target's unit."""
QUANTILES: frozenset[Task] = frozenset({"quantiles"})
"""The task whose answer is a number in the target's unit for each level."""


STAND_INS = {"dummy": "the best constant", "seasonal naive": "the seasonal naive forecast"}
"""The opponents that are no model, by the names that verdicts have for them."""
UNPROVEN = "unproven"
"""The check of a verdict that says that nothing can be proven better without labels."""


def stand_in_of(task: str) -> str:
    """Return the name of the opponent that a challenger must beat where no champion answers."""
    return "seasonal naive" if task == "forecast" else "dummy"


def traits_of(task: str) -> TaskTraits:
    """Return the declaration of a task. KeyError for an unknown one."""
    return TASKS[task]


def classifies(task: str) -> bool:
    """Tell whether a task learns classes: folds keep their shares."""
    return TASKS[task].classifies


def learns_named_classes(task: str) -> bool:
    """Tell whether the target is one of several named classes."""
    return TASKS[task].classifies and TASKS[task].has_named_classes


def finds_classes(task: str) -> bool:
    """Tell whether the fit finds the classes itself, since there is no target: clusters."""
    return TASKS[task].learns == "nothing" and TASKS[task].has_named_classes


def answers_probabilities(task: str) -> bool:
    """Tell whether each number of an answer is from 0 to 1, and `predict_proba` gives it."""
    return TASKS[task].answers_probabilities


def learns_nothing(task: str) -> bool:
    """Tell whether the estimator is shown no target, so that rows without one are learnt from."""
    return TASKS[task].learns == "nothing"


def answers_scores(task: str) -> bool:
    """Tell whether an answer is a score of strangeness."""
    return TASKS[task].answer == "score"


def has_named_classes(task: str) -> bool:
    """Tell whether an answer is one probability for each of several named classes."""
    return TASKS[task].has_named_classes


def is_wide(task: str) -> bool:
    """Tell whether an answer is several numbers, each with a name."""
    return TASKS[task].is_wide


def with_article(task: str) -> str:
    """Return the task as it stands in a sentence: `a binary task`, `an anomaly task`."""
    return f"{'an' if task[:1] in 'aeiou' else 'a'} {task} task"
