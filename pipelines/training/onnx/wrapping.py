"""Fits a finished ONNX model between the inputs that are fed and the answers that are asked for.

A finished model takes either one tensor of all numbers, [n, k] in the order of `features.inputs`,
or one tensor by the name of each input, [n, 1] or [n]. It answers one tensor: [n, classes]
probabilities, [n, levels] quantiles in the order of `quantiles`, or [n, 1] or [n] with the value or
the probability of the positive class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipelines.bundle.predictor import output_name
from pipelines.errors import BadData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.bundle.schema import InputSchema

_OWN_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_OPSETS: Final = range(13, 25)
_LEAST_IR: Final = 4
"""From this version of the format on, weights need not stand among the inputs."""
_ROWS_AND_COLUMNS: Final = 2


def wrap(data: bytes, schema: InputSchema) -> bytes:
    """Return the model with inputs and output as a bundle's predictor feeds and reads them.

    Raises BadData in words where it cannot be served.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise BadData("it is no ONNX file.", remedy="export the model again.") from error
    _refuse_unservable(model)
    weights = {w.name for w in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in weights]
    nodes = [*_feed_inputs(inputs, schema), *model.graph.node]
    outputs, behind, extra = _answer(model, schema)
    graph = onnx.helper.make_graph(
        [*nodes, *behind],
        "perennial",
        [_declare(c.name, c.kind) for c in schema.columns],
        outputs,
        [*model.graph.initializer, *extra],
        sparse_initializer=list(model.graph.sparse_initializer),
    )
    whole = onnx.helper.make_model(
        graph,
        opset_imports=sorted(model.opset_import, key=lambda o: (o.domain, o.version)),
        functions=list(model.functions),
        ir_version=model.ir_version,
    )
    wrapped: bytes = whole.SerializeToString(deterministic=True)
    return wrapped


def _refuse_unservable(model: Any) -> None:
    import onnx

    domains = {o.domain: o.version for o in model.opset_import}
    own = _OWN_DOMAINS | {f.domain for f in model.functions}
    strange = sorted({node.domain for node in _nodes(model)} - own)
    if strange:
        raise BadData(
            f"it uses operators of {', '.join(strange)}, which are not ONNX's own.",
            remedy="export it with standard operators only.",
        )
    version = domains.get("", domains.get("ai.onnx", 0))
    if version not in _OPSETS or model.ir_version < _LEAST_IR:
        raise BadData(
            f"it is written for version {version} of ONNX's operators.",
            remedy=f"export it for one of {_OPSETS.start} to {_OPSETS.stop - 1}.",
        )
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in _tensors(model)):
        raise BadData(
            "its weights lie in another file.",
            remedy="save it as one file, with all weights within.",
        )


def _nodes(model: Any) -> Iterator[Any]:
    """Yield all nodes, those of branches, loops and functions as well."""
    waiting = [*model.graph.node, *(n for f in model.functions for n in f.node)]
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            for graph in [attribute.g, *attribute.graphs]:
                waiting += list(graph.node)


def _tensors(model: Any) -> Iterator[Any]:
    """Yield all tensors that a model holds."""
    graphs = [model.graph]
    for node in _nodes(model):
        for attribute in node.attribute:
            yield from [attribute.t, *attribute.tensors]
            for sparse in [attribute.sparse_tensor, *attribute.sparse_tensors]:
                yield from (sparse.values, sparse.indices)
            graphs += [attribute.g, *attribute.graphs]
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)


def _declare(name: str, kind: str) -> Any:
    import onnx

    element = onnx.TensorProto.STRING if kind == "string" else onnx.TensorProto.FLOAT
    return onnx.helper.make_tensor_value_info(name, element, ["n", 1])


def _shape(value: Any) -> list[int | None] | None:
    """Return the sizes of a declared tensor, None for a free one; None where it is no tensor."""
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    return [
        d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim
    ]


def _feed_inputs(inputs: list[Any], schema: InputSchema) -> list[Any]:
    """Return the nodes that make a model's own inputs of those that are fed."""
    names, wanted = [c.name for c in schema.columns], [i.name for i in inputs]
    for given in inputs:
        _refuse_shape(given)
    if set(wanted) <= set(names) and (len(wanted) == len(names) or len(wanted) > 1):
        _refuse_named(inputs, schema)
        return []
    if len(inputs) != 1:
        raise BadData(
            f"its inputs are {', '.join(wanted)}; the spec's are {', '.join(names)}.",
            remedy="let it take one tensor [n, inputs], or one [n, 1] by the name of each input.",
        )
    return [_join_inputs(inputs[0], schema)]


def _refuse_named(inputs: list[Any], schema: InputSchema) -> None:
    """Raise BadData where tensors by the names of inputs are not what is fed."""
    import onnx

    given_by_name = {given.name: given for given in inputs}
    missing = [c.name for c in schema.columns if c.name not in given_by_name]
    if missing:
        raise BadData(
            f"it does not look at {', '.join(missing)}.",
            remedy="leave them out of features.inputs, or export the model with them.",
        )
    for column in schema.columns:
        given = given_by_name[column.name]
        text = given.type.tensor_type.elem_type == onnx.TensorProto.STRING
        if (column.kind == "string") != text:
            is_text = "text" if text else "no text"
            raise BadData(f"its input {given.name} is {is_text}, and the spec's is of the other.")
        sizes = _shape(given) or []
        if len(sizes) != _ROWS_AND_COLUMNS or sizes[1] not in {1, None}:
            raise BadData(f"its input {given.name} has the shape {sizes}, not [n, 1].")


def _join_inputs(given: Any, schema: InputSchema) -> Any:
    """Return the node that makes one tensor of all inputs."""
    import onnx

    names = [c.name for c in schema.columns]
    texts = [c.name for c in schema.columns if c.kind == "string"]
    sizes = _shape(given) or []
    if texts or given.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        raise BadData(
            f"its input {given.name} must be float, and the spec's inputs numbers only.",
            remedy=f"encode {', '.join(texts) or 'them'} in features.py, or name each input.",
        )
    if len(sizes) != _ROWS_AND_COLUMNS or sizes[1] not in {len(names), None}:
        raise BadData(
            f"its input {given.name} has the shape {sizes}, and there are {len(names)} inputs.",
            remedy="export it with the inputs of features.inputs, in their order.",
        )
    if given.name in names:
        raise BadData(f"its one input is called {given.name}, as an input of the spec is.")
    return onnx.helper.make_node("Concat", names, [given.name], name="perennial_inputs", axis=1)


def _refuse_shape(given: Any) -> None:
    import onnx

    sizes = _shape(given)
    if sizes is None:
        raise BadData(f"its input {given.name} is no tensor of a known shape.")
    if given.type.tensor_type.elem_type not in {onnx.TensorProto.FLOAT, onnx.TensorProto.STRING}:
        raise BadData(
            f"its input {given.name} is neither float (float32) nor string.",
            remedy="let the model take float32.",
        )
    if not sizes or sizes[0] is not None:
        raise BadData(
            f"its input {given.name} has the fixed shape {sizes}: it takes no other count of rows.",
            remedy="export it with a free first dimension (PyTorch: dynamic_axes).",
        )


def _answer(model: Any, schema: InputSchema) -> tuple[list[Any], list[Any], list[Any]]:
    """Return the output, the nodes behind the model that make it, and their constants."""
    import onnx

    floats = [
        o for o in model.graph.output if o.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    ]
    named = [o for o in floats if o.name in {"probabilities", "variable"}] or floats
    if len(named) != 1:
        names = ", ".join(o.name for o in model.graph.output)
        raise BadData(
            f"its outputs are {names}, of which not exactly one is a float tensor.",
            remedy="export its answers alone (scikit-learn: zipmap=False).",
        )
    output, name = named[0], output_name(schema)
    sizes = _shape(output)
    width = 2 if schema.task == "binary" else schema.width
    last = sizes[1] if sizes and len(sizes) == _ROWS_AND_COLUMNS else None
    single = schema.task == "binary" and (last == 1 or (sizes is not None and len(sizes) == 1))
    if last is not None and last != width and not single:
        raise BadData(
            f"it answers {last} numbers to a row, not {width}.",
            remedy="let it answer one number for each level, in the order of `quantiles`."
            if schema.levels
            else "a class of the rows is one number, in the order of the classes' names.",
        )
    shape = onnx.helper.make_tensor(
        "perennial_shape", onnx.TensorProto.INT64, [2], [-1, 1 if single else width]
    )
    one = onnx.helper.make_tensor("perennial_one", onnx.TensorProto.FLOAT, [], [1.0])
    inner = "perennial_answers"
    source = f"perennial_{output.name}" if output.name == name else output.name
    if source != output.name:
        _rename(model, output.name, source)
    node = onnx.helper.make_node
    nodes = [node("Reshape", [source, "perennial_shape"], [inner if single else name], name=inner)]
    if single:
        nodes += [
            node("Sub", ["perennial_one", inner], ["perennial_other"], name="perennial_sub"),
            node("Concat", ["perennial_other", inner], [name], name="perennial_both", axis=1),
        ]
    declared = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", width])
    return [declared], nodes, [shape, one] if single else [shape]


def _rename(model: Any, old: str, new: str) -> None:
    for node in model.graph.node:
        for names in (node.input, node.output):
            for nth, name in enumerate(names):
                if name == old:
                    names[nth] = new
