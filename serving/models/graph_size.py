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
        self._bodies = {
            function.signature.name: (
                len(function.node_def),
                [f for n in function.node_def for f in _functions(n)],
            )
            for function in graph.library.function
        }
        self._sizes: dict[str, int] = {}

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
        return len(behind) + sum(self._in_function(name) for name in called)

    def _in_function(self, name: str) -> int:
        if name not in self._sizes:
            self._sizes[name] = 0  # while it is counted: one that calls itself ends here
            own, called = self._bodies.get(name, (0, []))
            self._sizes[name] = own + sum(self._in_function(each) for each in called)
        return self._sizes[name]


def _producer(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _functions(node: node_def_pb2.NodeDef) -> list[str]:
    values = node.attr.values()
    return [f.name for value in values for f in (value.func, *value.list.func) if f.name]
