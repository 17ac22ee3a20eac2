"""A model's own code as a value: `model.py` and the files beside it that it imports.

It is loaded from this value and never from the folder, under a package whose name holds its hash.
So the classes that a stored model names say which code they belong to, and two versions of one
model are two packages.
"""

from __future__ import annotations

import ast
import importlib
import linecache
import sys
from functools import cached_property
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

from pipelines.errors import SpecError
from pipelines.refs import Value, canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

FILE = "model.py"
_STEM = "perennial_model_"
LONGEST = 2_000_000
"""Bytes of source that a model may have."""


class OwnCode(Value):
    """The source files by name; `model` is whose they are.

    No files: the model's classes are those of required packages.
    """

    model: str
    files: dict[str, str]

    @cached_property
    def package(self) -> str:
        """The name of the package that they are loaded as."""
        return f"{_STEM}{sha256(canonical(self))[:12]}"

    def path(self, file: str) -> str:
        """Return how a file is named in messages and tracebacks."""
        return f"models/{self.model}/{file}"

    @property
    def subject(self) -> str:
        """What messages name: `model.py`, or the spec where there is no own code."""
        return self.path(FILE) if self.files else self.path("model.yaml")

    def owns(self, type_name: str) -> bool:
        """Tell whether a class or function, by its full name, is of this code."""
        return type_name.startswith(f"{self.package}.")

    def line_of(self, error: BaseException | None) -> str:
        """Return the last line of this code that an error passed, " See line 3 of …", or ""."""
        place = ""
        while error is not None:
            trace = error.__traceback__
            while trace is not None:
                name = trace.tb_frame.f_code.co_filename
                if name in {self.path(file) for file in self.files}:
                    place = f" See line {trace.tb_lineno} of {name}."
                trace = trace.tb_next
            if place:
                return place
            if isinstance(error, SyntaxError) and error.filename:
                return f" See line {error.lineno} of {error.filename}."
            error = error.__cause__ or error.__context__
        return place


def read_code(folder: Path) -> OwnCode:
    """Return the code of a model's folder: `model.py` and what it imports from beside it.

    Raises SpecError where there is no such file, or where it is no text.
    """
    files: dict[str, str] = {}
    queue = [FILE]
    while queue:
        name = queue.pop()
        if name in files:
            continue
        path = folder / name
        try:
            files[name] = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise SpecError(
                f"There is no models/{folder.name}/{name}.",
                remedy="write it, with a function that returns the estimator; see"
                " docs/add-a-model.md.",
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"models/{folder.name}/{name} cannot be read: {error}.") from error
        queue += [f"{n}.py" for n in _imports_of(files[name]) if (folder / f"{n}.py").is_file()]
    if sum(map(len, files.values())) > LONGEST:
        raise SpecError(
            f"models/{folder.name}: {FILE} and what it imports have more than {LONGEST:,}"
            " characters.",
            remedy="what is learnt belongs into the fitted model, not into its code.",
        )
    return OwnCode(model=folder.name, files=dict(sorted(files.items())))


def _imports_of(source: str) -> list[str]:
    """Return the first parts of the names that a file imports, wherever in it it does so."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # said with its line when the file is loaded
        return []
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module] if node.module else [alias.name for alias in node.names]
    return sorted({name.split(".")[0] for name in names})


def load_code(code: OwnCode) -> ModuleType:
    """Return the loaded `model.py`. Raises whatever it raises when it is loaded."""
    if code.package not in sys.modules:
        sys.meta_path.insert(0, _Finder(code))
    return importlib.import_module(f"{code.package}.{FILE.removesuffix('.py')}")


class _Finder(MetaPathFinder, Loader):
    """Finds the package of one code, its modules, and the same by their plain names.

    `from parts import Clip` and `from .parts import Clip` give the same class.
    """

    def __init__(self, code: OwnCode) -> None:
        self._code = code
        self._own_specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of this code; None for every other one."""
        del path, target
        package = self._code.package
        if name == package:
            return ModuleSpec(name, self, is_package=True)
        own = name.removeprefix(f"{package}.")
        if f"{own}.py" not in self._code.files:
            return None
        if own == name and name in sys.stdlib_module_names:
            return None
        return ModuleSpec(name, self, origin=self._code.path(f"{own}.py"))

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return the module that a plain name stands for; None for a new one."""
        package = self._code.package
        if spec.name == package or spec.name.startswith(f"{package}."):
            return None
        module = importlib.import_module(f"{package}.{spec.name}")
        self._own_specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's source; of a plain name it has been run."""
        spec: Any = module.__spec__
        if spec.name in self._own_specs:
            module.__spec__ = self._own_specs[spec.name]
        elif spec.name != self._code.package:
            file = f"{spec.name.rpartition('.')[2]}.py"
            source, path = self._code.files[file], self._code.path(file)
            # so that a traceback shows the line
            linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
            module.__file__ = path
            exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
