"""How a stack of pipelines is converted.

skl2onnx 1.20 converts stacks whose members see one tensor. Here each member is a pipeline of its
own over the named inputs, which its converter of votes knows and its converter of stacks does not.
"""

from __future__ import annotations

from typing import Any


def stack_shape(operator: Any) -> None:
    """Say which types and shapes a stack gives: labels and probabilities, or values."""
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    if hasattr(operator.raw_operator, "classes_"):
        operator.outputs[0].type = Int64TensorType([None])
        operator.outputs[1].type = FloatTensorType([None, len(operator.raw_operator.classes_)])
    else:
        operator.outputs[0].type = FloatTensorType([None, 1])


def convert_stack(scope: Any, operator: Any, container: Any) -> None:
    """Add the members, their answers side by side, and the estimator that learnt from these.

    Raises NotImplementedError for what is fitted in a way that is not converted here.
    """
    from skl2onnx.common.data_types import FloatTensorType

    stack = operator.raw_operator
    classify = hasattr(stack, "classes_")
    methods = set(stack.stack_method_)
    if stack.passthrough or methods != {"predict_proba" if classify else "predict"}:
        msg = "a stack is converted of probabilities or values, and without passthrough"
        raise NotImplementedError(msg)
    binary = classify and len(stack.classes_) == 2  # noqa: PLR2004
    answers = []
    for member in stack.estimators_:
        answer = _ask(scope, member, operator.inputs, classify=classify)[-1]
        # Of two probabilities scikit-learn gives the second one to the last estimator.
        answers.append(_take_second(scope, container, answer) if binary else answer.onnx_name)
    width = stack.final_estimator_.n_features_in_
    joined = scope.declare_local_variable("stack_answers", FloatTensorType([None, width]))
    name = scope.get_unique_operator_name("StackConcat")
    container.add_node("Concat", answers, joined.onnx_name, name=name, axis=1)
    final = _ask(scope, stack.final_estimator_, [joined], classify=classify)
    for given, wanted in zip(final, operator.outputs, strict=True):
        name = scope.get_unique_operator_name("StackIdentity")
        container.add_node("Identity", given.onnx_name, wanted.full_name, name=name)


def _ask(scope: Any, model: Any, inputs: Any, *, classify: bool) -> list[Any]:
    """Declare an estimator over the inputs; return its outputs, the answers last."""
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    declared = scope.declare_local_operator(sklearn_operator_name_map[type(model)], model)
    declared.inputs = list(inputs)
    if classify:
        declared.outputs.append(scope.declare_local_variable("stack_label", Int64TensorType()))
    declared.outputs.append(scope.declare_local_variable("stack_answer", FloatTensorType()))
    return list(declared.outputs)


def _take_second(scope: Any, container: Any, answer: Any) -> str:
    """Return the name of the second column of two probabilities."""
    from onnx import TensorProto

    place = scope.get_unique_variable_name("stack_second")
    container.add_initializer(place, TensorProto.INT64, [1], [1])
    second: str = scope.get_unique_variable_name("stack_probability")
    name = scope.get_unique_operator_name("StackGather")
    container.add_node("Gather", [answer.onnx_name, place], second, name=name, axis=1)
    return second
