"""An estimator that breaks scikit-learn's contract is named before anything is learnt with it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.rows import schema_of
from pipelines.errors import BadData, SpecError
from pipelines.spec import Candidate
from pipelines.step_record import last_record
from pipelines.training import estimators
from pipelines.training.contract import check_contract
from pipelines.training.fitting import fit_pipeline
from tests.unit.training.fits import LOG

TABLE = pa.table({"x": np.linspace(-1, 1, 60), "word": ["a", "b", "c"] * 20})
Y = (np.arange(60) % 3 == 0).astype(int)
SCHEMA = schema_of(TABLE, ["x", "word"], "binary", None)
ODD = "tests.unit.training.odd_estimators"


def candidate_of(path, **fields):
    return Candidate.model_validate({"name": "odd", "estimator": path, **fields})


def contract(candidate):
    check_contract(
        candidate,
        lambda: estimators.build_pipeline(candidate, SCHEMA, 0, candidate.params),
        estimators.frame(SCHEMA, TABLE),
        Y,
        task="binary",
        log=LOG,
    )


def test_one_that_keeps_it_is_taken():
    contract(candidate_of(f"{ODD}.Fair", params={"sharpness": 2.0}))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Few", r"answers 60 rows in the shape \(59, 2\), wanted \(60, 2\)"),
        ("Nan", "not finite"),
        ("Great", "probabilities from 1 to 2"),
        ("Uneven", "do not sum to one"),
        ("Stranger", r"a class that no row has: \[7\]"),
        ("Moody", "in two ways when it is fitted twice"),
        ("Careless", "changes the rows"),
    ],
)
def test_one_that_breaks_it_is_refused_with_its_place(name, why):
    with pytest.raises(SpecError, match=why) as found:
        contract(candidate_of(f"{ODD}.{name}"))
    assert found.value.at == ("candidates", "odd", "estimator")
    assert found.value.remedy


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere.Forest", "cannot be imported: there is no module nowhere"),
        (f"{ODD}.Absent", "has no Absent"),
        (f"{ODD}.Silent", "has no predict"),
        (f"{ODD}.LOG", "has no LOG"),
        ("numpy.pi", "is no class"),
        (f"{ODD}.Needy", "cannot be made"),
        (f"{ODD}.Regressing", "is a regressor and cannot do a binary task"),
        ("sklearn.svm.LinearSVC", "no probabilities"),
        ("sklearn.linear_model.RidgeClassifier", "no probabilities"),
    ],
)
def test_what_cannot_be_an_estimator_is_named(path, why):
    with pytest.raises(SpecError, match=why) as found:
        estimators.build_pipeline(candidate_of(path), SCHEMA, 0, {})
    assert found.value.at == ("candidates", "odd", "estimator")
    assert found.value.remedy


@pytest.mark.parametrize("name", ["Exiting", "Raising"])
def test_whatever_it_raises_is_an_error_of_this_candidate(name):
    with pytest.raises(BadData, match="could not be fitted") as found:
        contract(candidate_of(f"{ODD}.{name}"))
    assert found.value.at == ("candidates", "odd")


@pytest.mark.parametrize("name", ["sklearn.svm.LinearSVC", "sklearn.linear_model.Perceptron"])
def test_scores_become_probabilities_where_they_are_calibrated(name):
    candidate = candidate_of(name, calibrate="sigmoid")
    model = fit_pipeline(
        estimators.build_pipeline(candidate, SCHEMA, 0, {}),
        estimators.frame(SCHEMA, TABLE),
        Y,
        candidate,
        LOG,
    )
    shares = estimators.answers(model, estimators.frame(SCHEMA, TABLE), "binary", None)
    assert shares.shape == (60,)
    assert ((shares > 0) & (shares < 1)).all()


def test_what_a_fit_prints_is_never_a_record(capfd):
    candidate = candidate_of(f"{ODD}.Printing")
    fit_pipeline(
        estimators.build_pipeline(candidate, SCHEMA, 0, {}),
        estimators.frame(SCHEMA, TABLE),
        Y,
        candidate,
        LOG,
    )
    printed = capfd.readouterr()
    assert last_record(printed.out.splitlines(), "train") is None
    assert printed.err.count("forged") == 2


def test_an_unknown_parameter_is_named_with_the_nearest():
    with pytest.raises(SpecError, match="no parameter 'sharpnes'") as found:
        estimators.build_pipeline(
            candidate_of(f"{ODD}.Fair", params={"sharpnes": 1}), SCHEMA, 0, {}
        )
    assert "did you mean sharpness?" in found.value.remedy
    assert found.value.at == ("candidates", "odd", "params", "sharpnes")
