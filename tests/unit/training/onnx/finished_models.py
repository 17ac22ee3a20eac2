"""Finished models, written node by node, and the folder and schema that they are read with."""

from __future__ import annotations

import onnx
import pyarrow as pa
from onnx import TensorProto
from onnx import helper as made

from pipelines.bundle.rows import schema_of
from pipelines.spec import Candidate
from pipelines.training.onnx.finished import open_finished

TABLE = pa.table({"a": [0.5, None, 2.0], "b": [1.0, 2.0, 3.0]})


def tensor(name, *sizes, kind=TensorProto.FLOAT):
    """Return a declared tensor; a free size is a name, or None."""
    return made.make_tensor_value_info(name, kind, list(sizes))


def weights(name, rows, columns, value=0.5):
    return made.make_tensor(name, TensorProto.FLOAT, [rows, columns], [value] * (rows * columns))


def save(nodes, inputs, outputs, constants=(), *, opset=18, domains=()):
    """Return the bytes of a model."""
    graph = made.make_graph(nodes, "net", inputs, outputs, list(constants))
    imports = [made.make_opsetid("", opset), *(made.make_opsetid(d, 1) for d in domains)]
    return made.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString()


def net(width=1, last="Sigmoid", inputs=2, batch="n"):
    """Return a layer over the inputs with nulls filled, then a sigmoid, a softmax or nothing."""
    nodes = [
        made.make_node("IsNaN", ["x"], ["gaps"]),
        made.make_node("Where", ["gaps", "zero", "x"], ["filled"]),
        made.make_node("MatMul", ["filled", "w"], ["scores"]),
        made.make_node(last, ["scores"], ["answers"]),
    ]
    constants = [
        made.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        made.make_tensor(
            "w",
            TensorProto.FLOAT,
            [inputs, width],
            [0.1 * (i + 1) for i in range(inputs * width)],
        ),
    ]
    ends = [tensor("x", batch, inputs)], [tensor("answers", batch, width)]
    return save(nodes, *ends, constants)


def schema(task="binary", table=TABLE):
    classes = ["u", "v", "w"] if task == "multiclass" else None
    return schema_of(table, table.column_names, task, classes)


def read(folder, data, task="binary", table=TABLE):
    """Write the file into the folder, and read it as a candidate's finished model."""
    (folder / "net.onnx").write_bytes(data)
    candidate = Candidate.model_validate({"name": "net", "onnx": "net.onnx"})
    return open_finished(folder, candidate, schema(task, table))


def with_weights_elsewhere(data):
    """Return a model whose weights lie in another file."""
    model = onnx.load_from_string(data)
    held = model.graph.initializer[1]
    held.ClearField("float_data")
    held.data_location = TensorProto.EXTERNAL
    held.external_data.add(key="location", value="/etc/passwd")
    return model.SerializeToString()
