"""An operator whose tasks are made fast: a parse of a fleet makes tens of thousands of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from collections.abc import Collection

CONVERTER = "_convert_"
"""How the names of Airflow's methods begin that a value goes through before it is set."""

ARGUMENTS = "_BaseOperator__init_kwargs"
"""Where Airflow keeps what a task was made with. It is empty until the task is made."""


class LightOperator(BaseOperator):
    """Sets the values of a task that is being made at once, where Airflow would do no more.

    For each of its 60 values Airflow looks for a method that converts it, by a name made for that,
    and then whether the task was made with it: so it took a twentieth of a parse. Which methods
    there are is known of the class, and before a task is made it was made with nothing.
    """

    _converted: ClassVar[Collection[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note the names of the values that the class converts."""
        super().__init_subclass__(**kwargs)
        converters = (name for name in dir(cls) if name.startswith(CONVERTER))
        cls._converted = frozenset(name.removeprefix(CONVERTER) for name in converters)

    def __setattr__(self, key: str, value: Any) -> None:
        """Set a value: in Airflow's way, unless that comes to the same."""
        if key in self._converted or type(self) is LightOperator or getattr(self, ARGUMENTS, True):
            super().__setattr__(key, value)
        else:
            object.__setattr__(self, key, value)
