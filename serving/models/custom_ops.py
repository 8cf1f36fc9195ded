"""Loads the libraries of operations that a graph needs beyond TensorFlow's own."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator

from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.framework import op_def_registry

# Importing either registers its operations with this process.
_LIBRARIES = ("tensorflow_text", "scann.scann_ops.py.scann_ops")


def register(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """Imports a library only if the graph holds operations that nothing has registered yet.

    A library that is not installed is passed over: loading the graph then fails with TensorFlow's own
    words, which name the operation.
    """
    for library in _LIBRARIES:
        if not _unregistered(meta_graph):
            return
        with contextlib.suppress(ImportError):
            importlib.import_module(library)


def _unregistered(meta_graph: meta_graph_pb2.MetaGraphDef) -> bool:
    functions = {function.signature.name for function in meta_graph.graph_def.library.function}
    operations = set(_operations(meta_graph)) - functions
    return any(op_def_registry.get(operation) is None for operation in operations)


def _operations(meta_graph: meta_graph_pb2.MetaGraphDef) -> Iterator[str]:
    for node in meta_graph.graph_def.node:
        yield node.op
    for function in meta_graph.graph_def.library.function:
        for node in function.node_def:
            yield node.op
