"""Who may read what: whoever may read a model's retrain DAG in Airflow may read what Perennial
knows of that model.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, HTTPException, Request

from perennial_airflow.dag_names import RETRAIN, dag_name

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


class Reader:
    """The user who asks, before Airflow's auth manager."""

    def __init__(self, request: Request, user: GetUserDep) -> None:
        """Airflow makes one for each request, after it made sure of the user."""
        self._request = request
        self._user = user

    def expect(self, model: str) -> None:
        """Raise HTTPException 403 unless the user may read the model's retrain DAG."""
        requires_access_dag("GET", param_dag_id=dag_name(RETRAIN, model))(self._request, self._user)

    def expect_edit(self, model: str) -> None:
        """Raise HTTPException 403 unless the user may edit the model's retrain DAG."""
        requires_access_dag("PUT", param_dag_id=dag_name(RETRAIN, model))(self._request, self._user)

    def may_read(self, model: str) -> bool:
        """Tell whether the user may read the model's retrain DAG."""
        return _is_allowed(self.expect, model)

    def may_edit(self, model: str) -> bool:
        """Tell whether the user may edit the model's retrain DAG."""
        return _is_allowed(self.expect_edit, model)


def _is_allowed(expect: Callable[[str], None], model: str) -> bool:
    try:
        expect(model)
    except HTTPException as refused:
        if refused.status_code != HTTPStatus.FORBIDDEN:
            raise
        return False
    return True


TheReader = Annotated[Reader, Depends()]


def expect_model(reader: Reader, model: str) -> None:
    """Raise HTTPException unless this can be a model, and the user may read it."""
    if not NAME.fullmatch(model):
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such model.")
    reader.expect(model)
