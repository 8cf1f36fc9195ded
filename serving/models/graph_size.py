"""How many operations a graph is made of."""

from __future__ import annotations

from collections.abc import Iterable

from tensorflow.core.framework import graph_pb2, node_def_pb2


class GraphSize:
    """Counts what has to be computed for some tensors of a graph.

    Args:
        graph: of which only the names are kept.
    """

    def __init__(self, graph: graph_pb2.GraphDef):
        self._inputs = {node.name: [_producer(name) for name in node.input] for node in graph.node}
        self._called = {node.name: called for node in graph.node if (called := _functions(node))}
        bodies = {function.signature.name: function.node_def for function in graph.library.function}
        self._body_sizes = {name: len(body) for name, body in bodies.items()}
        self._bodies = {name: [f for node in body for f in _functions(node)] for name, body in bodies.items()}

    def operations(self, tensors: Iterable[str]) -> int:
        """Counts the operations behind tensors, in functions at each place that calls them.

        Args:
            tensors: their names in the graph, such as `StatefulPartitionedCall:0`.
        """
        behind, ahead = set(), [_producer(name) for name in tensors]
        while ahead:
            node = ahead.pop()
            if node not in behind:
                behind.add(node)
                ahead += self._inputs.get(node, [])
        called = (function for node in behind for function in self._called.get(node, []))
        return len(behind) + sum(self._in_function(name, ()) for name in called)

    def _in_function(self, name: str, callers: tuple[str, ...]) -> int:
        if name in callers:  # one that calls itself
            return 0
        within = (self._in_function(each, (*callers, name)) for each in self._bodies.get(name, []))
        return self._body_sizes.get(name, 0) + sum(within)


def _producer(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _functions(node: node_def_pb2.NodeDef) -> list[str]:
    values = node.attr.values()
    return [f.name for value in values for f in (value.func, *value.list.func) if f.name]
