"""Adds nodes and constants to the ONNX model that a converter is making."""

from __future__ import annotations

from typing import Any

import numpy as np


class Nodes:
    """Adds nodes with names of their own to the model that is being made."""

    def __init__(self, scope: Any, container: Any) -> None:
        """Keep what skl2onnx hands to a converter."""
        self._scope = scope
        self._container = container

    def constant(self, values: Any, *, whole: bool = False) -> str:
        """Add a constant and return its name."""
        from onnx import TensorProto

        name: str = self._scope.get_unique_variable_name("constant")
        array = np.asarray(values, np.int64 if whole else np.float32)
        kind = TensorProto.INT64 if whole else TensorProto.FLOAT
        self._container.add_initializer(name, kind, list(array.shape), array.ravel().tolist())
        return name

    def add(self, kind: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Add a node and return the name of what it gives."""
        output = to or self._scope.get_unique_variable_name(kind.lower())
        self._add(kind, inputs, [output], attributes)
        return output

    def add_many(self, kind: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """Add a node that gives several things, and return their names."""
        names = [self._scope.get_unique_variable_name(kind.lower()) for _ in range(outputs)]
        self._add(kind, inputs, names, attributes)
        return names

    def _add(
        self, kind: str, inputs: tuple[str, ...], outputs: list[str], attributes: dict[str, Any]
    ) -> None:
        name = self._scope.get_unique_operator_name(kind)
        self._container.add_node(kind, list(inputs), outputs, name=name, **attributes)
