"""The answer of a compiled anomaly model: how strange a row is, from what the converter gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.bundle.strangeness import size_of_scores

CONVERTED = "scores"
"""What skl2onnx calls the output with an outlier detector's `decision_function`."""


def turn_scores(model: Any, pipeline: Any, name: str) -> None:
    """Let the output `name` of an ONNX model be the strangeness of each row (see `strangeness`).

    The converter gives `score_samples - offset_`; both its sign and its offset are taken back.
    Raises ValueError where there is no such output.
    """
    from onnx import TensorProto, helper, numpy_helper

    outputs = [o for o in model.graph.output if o.name == CONVERTED]
    if not outputs:
        msg = "the converter gives no scores of this estimator"
        raise ValueError(msg)
    for node in model.graph.node:
        for names in (node.input, node.output):
            for nth, old in enumerate(names):
                names[nth] = f"{name}_within" if old == name else old
    last = pipeline.steps[-1][1]
    size = size_of_scores(pipeline)
    offset = float(np.ravel(last.offset_)[0])
    taken = {
        f"{name}_size": np.array(-1.0 / size, dtype=np.float32),
        f"{name}_offset": np.array(-offset / size, dtype=np.float32),
    }
    model.graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in taken.items())
    model.graph.node.extend(
        [
            helper.make_node("Mul", [CONVERTED, f"{name}_size"], [f"{name}_turned"]),
            helper.make_node("Add", [f"{name}_turned", f"{name}_offset"], [name]),
        ]
    )
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
