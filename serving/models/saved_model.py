"""One SavedModel in this process, of TensorFlow 1 or 2, called through its own session.

A callable of the session costs a third of `tf.saved_model.load(...).signatures[...]` per call, and the
session's loader also reads the TF1-style models that `tf.saved_model.load` refuses.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow.python.framework import ops
from tensorflow.python.saved_model import loader_impl

from serving import tensors
from serving.batching.scheduler import Batcher, BatchScheduler
from serving.errors import Code, ServingError
from serving.models import custom_ops, versions
from serving.models.graph_size import GraphSize
from serving.models.runs import Run
from serving.models.signatures import DEFAULT_SIGNATURE, Signature
from serving.monitoring.events import Events, GraphBuilt, SessionRun

# Every choice of outputs is a callable of its own; past this many they are made for one call and dropped,
# so that a client cannot fill the memory by asking for ever other choices.
_MAX_CALLABLES = 256

# Operations up to which it costs more to hand them to other threads than they gain by it: recommendations of
# Tandem's models have some 650, what reads texts has 2,000 and more.
_SMALL = 1000
_THREAD_OF_THE_CALLER = -1

# What a callable feeds and fetches: names of the graph's tensors.
Call = tuple[tuple[str, ...], tuple[str, ...]]


class LoadedModel:
    """A SavedModel that answers `predict`, from any number of threads at once.

    Args:
        path: the folder of one version, the one that holds `saved_model.pb`.
        tags: which of its graphs to load.
        intra_op_parallelism: threads that one operation may use; 0 lets TensorFlow choose.
        inter_op_parallelism: operations that may run at once; 0 lets TensorFlow choose for a large graph, and
            runs a small one in the thread of the caller, -1 runs all there.
        gpu_memory_fraction: share of the GPU's memory to take; 0 lets TensorFlow choose.
        checks_methods: whether signatures must have the method name of what is asked of them.
        batching: joins requests that come at the same time; None runs each alone.
        events: where runs of the session are told.

    Attributes:
        checks_methods: as above.

    Raises:
        ServingError: the folder holds no SavedModel that can be loaded.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        tags: Sequence[str] = ("serve",),
        intra_op_parallelism: int = 0,
        inter_op_parallelism: int = 0,
        gpu_memory_fraction: float = 0.0,
        checks_methods: bool = True,
        batching: BatchScheduler | None = None,
        events: Events | None = None,
    ):
        loader, meta_graph = _read(os.fspath(path), tags)
        custom_ops.register(meta_graph)
        self._session = tf.compat.v1.Session(
            graph=tf.Graph(),
            config=config_pb2.ConfigProto(
                intra_op_parallelism_threads=intra_op_parallelism,
                inter_op_parallelism_threads=inter_op_parallelism,
                gpu_options=config_pb2.GPUOptions(per_process_gpu_memory_fraction=gpu_memory_fraction),
            ),
        )
        self.checks_methods = checks_methods
        self._size = None if inter_op_parallelism else GraphSize(meta_graph.graph_def)
        self._events = events or Events()
        self._callables: dict[Call, Callable[..., list[Any]]] = {}
        self._making = threading.Lock()
        self._batcher = Batcher(batching, self._run_alone) if batching else None
        try:
            with self._session.graph.as_default():
                loader.load(self._session, list(tags))
        except Exception as error:  # a broken graph raises whatever it likes
            self.close()
            raise _load_error(path, error) from error
        self._definitions = dict(meta_graph.signature_def)
        self._signatures = {key: Signature(each) for key, each in self._definitions.items()}

    @property
    def signatures(self) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        """The model's signatures by key."""
        return self._definitions

    @property
    def calls(self) -> Collection[Call]:
        """What the model has been asked to feed and fetch so far."""
        return tuple(self._callables)

    def predict(
        self, signature: str, inputs: Mapping[str, Any], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Runs one signature; see `predictor.Predictor.predict`."""
        arrays = {alias: tensors.to_array(value) for alias, value in inputs.items()}
        return self.run_signature(self.signature(signature), arrays, outputs, Run())

    def signature(self, name: str) -> Signature:
        """Finds a signature by its key; `""` is `serving_default`.

        Raises:
            ServingError: FAILED_PRECONDITION if there is none of that name.
        """
        key = name or DEFAULT_SIGNATURE
        if key not in self._signatures:
            raise ServingError(f'Serving signature key "{key}" not found.', Code.FAILED_PRECONDITION)
        return self._signatures[key]

    def run_signature(
        self,
        signature: Signature,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str] | None,
        run: Run,
    ) -> dict[str, np.ndarray]:
        """Runs one signature on arrays, for one request.

        Raises:
            ServingError: the inputs or outputs are none of the signature's, or the graph says no.
        """
        feeds = signature.bind(inputs)
        fetches = signature.select(outputs)
        results = self.run((signature.feeds, tuple(fetches.values())), feeds, run)
        return dict(zip(fetches, results, strict=True))

    def run(self, call: Call, arrays: Sequence[np.ndarray], run: Run) -> Sequence[np.ndarray]:
        """Feeds and fetches tensors by their names in the graph, for one request.

        Raises:
            ServingError: the deadline is over, or the graph says no.
        """
        run.check_deadline()
        begun = time.monotonic()
        try:
            if self._batcher:
                return self._batcher.run(call, arrays, run.deadline)
            return self._run_alone(call, arrays)
        finally:
            run.seconds = time.monotonic() - begun

    def prepare(self, calls: Iterable[Call]) -> None:
        """Makes ready what a version before this one was asked for, as far as this graph has it.

        The first call of its kind optimises the graph, which can take seconds; no request should wait so.
        """
        for call in calls:
            with contextlib.suppress(ServingError):
                self._callable(call)

    def close(self) -> None:
        """Frees the session; no call may run during it or come after it."""
        self._callables.clear()
        graph = self._session.graph
        self._session.close()
        ops.dismantle_graph(graph)  # it is full of cycles, and the collector may come late

    def _run_alone(self, call: Call, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        run = self._callable(call)
        begun = time.perf_counter()
        try:
            results = run(*arrays)
        except tf.errors.OpError as error:
            raise ServingError(error.message, Code(error.error_code)) from error
        except UnicodeDecodeError as error:
            # TensorFlow could not make a message of what the graph said, as it quotes bytes of the request.
            raise ServingError(error.object.decode("utf-8", "replace")) from error
        self._events.tell(SessionRun(time.perf_counter() - begun))
        return [_as_array(result) for result in results]

    def _callable(self, call: Call) -> Callable[..., list[Any]]:
        made = self._callables.get(call)
        if made is None:
            with self._making:  # of requests that come at the same time, one makes it and the others wait
                made = self._callables.get(call) or self._make(call)
        return made

    def _make(self, call: Call) -> Callable[..., list[Any]]:
        feeds, fetches = call
        options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
        if self._size and self._size.operations(fetches) <= _SMALL:
            options.run_options.inter_op_thread_pool = _THREAD_OF_THE_CALLER
        begun = time.perf_counter()
        try:
            made = self._session._make_callable_from_options(options)
        except tf.errors.OpError as error:
            raise ServingError(error.message, Code(error.error_code)) from error
        self._events.tell(GraphBuilt(time.perf_counter() - begun))
        if len(self._callables) < _MAX_CALLABLES:
            self._callables[call] = made
        return made


def _read(path: str, tags: Sequence[str]) -> tuple[loader_impl.SavedModelLoader, meta_graph_pb2.MetaGraphDef]:
    if not versions.is_complete(path):
        raise ServingError(
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}",
            Code.NOT_FOUND,
        )
    try:
        loader = loader_impl.SavedModelLoader(path)
    except (tf.errors.OpError, OSError) as error:
        raise _load_error(path, error) from error
    try:
        return loader, loader.get_meta_graph_def_from_tags(list(tags))
    except RuntimeError as error:
        raise ServingError(
            f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}. To inspect "
            "available tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`",
            Code.NOT_FOUND,
        ) from error


def _load_error(path: str | os.PathLike[str], error: Exception) -> ServingError:
    if isinstance(error, tf.errors.OpError):
        return ServingError(error.message, Code(error.error_code))
    return ServingError(f"cannot load the SavedModel {os.fspath(path)}: {error}", Code.UNKNOWN)


def _as_array(result: Any) -> np.ndarray:
    """Undoes what the session does to scalars: it hands them out as numpy scalars or bare bytes."""
    if isinstance(result, np.ndarray):
        return result
    return np.array(result, dtype=object if isinstance(result, bytes) else None)
