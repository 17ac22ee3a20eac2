"""Where two compiled models differ first."""

from __future__ import annotations

from typing import Any


def describe_graphs(recorded: bytes, rebuilt: bytes) -> str:
    """Return in words where two ONNX models differ first; either may be empty where there is none.

    Raises nothing where they cannot be read: then the first byte that differs is named.
    """
    if not recorded or not rebuilt:
        return "recorded is none" if not recorded else "rebuilt is none"
    words = _in_graph(recorded, rebuilt)
    place = next(
        (i for i, (a, b) in enumerate(zip(recorded, rebuilt, strict=False)) if a != b),
        min(len(recorded), len(rebuilt)),
    )
    return f"byte {place:,} (recorded {len(recorded):,} bytes, rebuilt {len(rebuilt):,}){words}"


def _in_graph(recorded: bytes, rebuilt: bytes) -> str:
    """Return which node, and which of its attributes, differs first; "" where none does."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        before, after = (onnx.load_from_string(data).graph for data in (recorded, rebuilt))
    except DecodeError:
        return ""
    if len(before.node) != len(after.node):
        return f": recorded {len(before.node)} nodes, rebuilt {len(after.node)}"
    for place, (one, other) in enumerate(zip(before.node, after.node, strict=True)):
        if one != other:
            return f": node {place} ({one.op_type}){_in_node(one, other)}"
    for one, other in zip(before.initializer, after.initializer, strict=False):
        if one != other:
            return f": the constant {one.name}"
    return ""


def _in_node(one: Any, other: Any) -> str:
    theirs = {a.name: a for a in other.attribute}
    names = [a.name for a in one.attribute if a != theirs.get(a.name)]
    return f", attribute {names[0]}" if names else ""
