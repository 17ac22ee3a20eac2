"""A skops file as the folder of a real MLflow model, which `mlflow.sklearn.load_model` loads."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.bundle.trusted import TRUSTED
from pipelines.errors import BadData

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN_FLAVOR, MODEL_FILE, CODE_FILE = "perennial", "model.skops", "code.json"

_REQUIRED = ("scikit-learn", "skops", "pandas", "numpy")
"""Given to MLflow, which would otherwise run the model for seconds to find them out."""


@contextlib.contextmanager
def sklearn_folder(model_file: Path) -> Iterator[Path]:
    """Yield a temporary folder with MLmodel, requirements and the very bytes of the skops file.

    Raises BadData where the file is broken or names types that are not on the loader's list.
    """
    import mlflow.sklearn

    estimator, types = _load(model_file)
    with tempfile.TemporaryDirectory(prefix="perennial-model-") as scratch:
        folder = Path(scratch) / "model"
        mlflow.sklearn.save_model(
            estimator,
            str(folder),
            serialization_format="skops",
            skops_trusted_types=types,
            pip_requirements=[f"{name}=={version(name)}" for name in _REQUIRED],
        )
        # what was judged, not a second writing of it
        shutil.copyfile(model_file, folder / MODEL_FILE)
        yield folder


@contextlib.contextmanager
def own_folder(model_file: Path, code: Path) -> Iterator[Path]:
    """Yield a temporary folder with MLmodel, the skops file and the code that it is loaded with.

    MLflow shows and keeps it, and loads none of it: own code runs behind its fence only.
    """
    from mlflow.models import Model

    with tempfile.TemporaryDirectory(prefix="perennial-model-") as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        model = Model()
        model.add_flavor(OWN_FLAVOR, data=MODEL_FILE, code=CODE_FILE)
        model.save(str(folder / "MLmodel"))
        shutil.copyfile(model_file, folder / MODEL_FILE)
        shutil.copyfile(code, folder / CODE_FILE)
        yield folder


def _load(model_file: Path) -> tuple[Any, list[str]]:
    """Return the estimator and those of its types that MLflow's loader has to be told to trust."""
    from skops import io

    try:
        types = sorted(io.get_untrusted_types(file=model_file))
    except Exception as error:  # a broken file fails as zip, JSON, key or type error
        raise BadData(f"{model_file} is no skops file: {type(error).__name__}: {error}") from error
    strange = sorted(set(types) - TRUSTED)
    if strange:
        raise BadData(
            f"{model_file} holds types that are not trusted: {', '.join(strange)}.",
            remedy="see pipelines/bundle/trusted.py.",
        )
    try:
        return io.load(model_file, trusted=types), types
    except Exception as error:
        raise BadData(f"{model_file} cannot be loaded: {type(error).__name__}: {error}") from error
