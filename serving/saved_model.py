"""One SavedModel in this process, of TensorFlow 1 or 2, called through its own session.

A callable of the session costs a third of `tf.saved_model.load(...).signatures[...]` per call, and the
session's loader also reads the TF1-style models that `tf.saved_model.load` refuses.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow.python.saved_model import loader_impl

from serving import custom_ops, signatures, tensors
from serving.errors import Code, ServingError

# Every choice of outputs is a callable of its own; past this many they are made for one call and dropped,
# so that a client cannot fill the memory by asking for ever other choices.
_MAX_CALLABLES = 256


class LoadedModel:
    """A SavedModel that answers `predict`, from any number of threads at once.

    Args:
        path: the folder of one version, the one that holds `saved_model.pb`.
        tags: which of its graphs to load.
        intra_op_parallelism: threads that one operation may use; 0 lets TensorFlow choose.
        inter_op_parallelism: operations that may run at once; 0 lets TensorFlow choose.

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
    ):
        loader, meta_graph = _read(os.fspath(path), tags)
        custom_ops.register(meta_graph)
        self._session = tf.compat.v1.Session(
            graph=tf.Graph(),
            config=config_pb2.ConfigProto(
                intra_op_parallelism_threads=intra_op_parallelism,
                inter_op_parallelism_threads=inter_op_parallelism,
            ),
        )
        self._callables: dict[tuple[str, tuple[str, ...]], Callable[..., list[Any]]] = {}
        try:
            with self._session.graph.as_default():
                loader.load(self._session, list(tags))
        except (tf.errors.OpError, OSError, ValueError, RuntimeError, KeyError) as error:
            self.close()
            raise _load_error(path, error) from error
        self._signatures = dict(meta_graph.signature_def)

    @property
    def signatures(self) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        """The model's signatures by key."""
        return self._signatures

    def predict(
        self, signature: str, inputs: Mapping[str, Any], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Runs one signature; see `predictor.Predictor.predict`."""
        name = signature or signatures.DEFAULT_SIGNATURE
        definition = signatures.find(self._signatures, name)
        arrays = {alias: tensors.to_array(value) for alias, value in inputs.items()}
        feeds = signatures.bind_inputs(definition, arrays)
        fetches = signatures.select_outputs(definition, outputs)
        try:
            results = self._callable(name, definition, fetches)(*feeds)
        except tf.errors.OpError as error:
            raise ServingError(error.message, Code(error.error_code)) from error
        return {alias: _as_array(result) for alias, result in zip(fetches, results, strict=True)}

    def close(self) -> None:
        """Frees the session; no call may run during it or come after it."""
        self._callables.clear()
        self._session.close()

    def _callable(
        self, name: str, definition: meta_graph_pb2.SignatureDef, fetches: tuple[str, ...]
    ) -> Callable[..., list[Any]]:
        run = self._callables.get((name, fetches))
        if run is None:
            run = self._session._make_callable_from_options(
                config_pb2.CallableOptions(
                    feed=[definition.inputs[alias].name for alias in sorted(definition.inputs)],
                    fetch=[definition.outputs[alias].name for alias in fetches],
                )
            )
            if len(self._callables) < _MAX_CALLABLES:
                self._callables[name, fetches] = run
        return run


def _read(path: str, tags: Sequence[str]) -> tuple[loader_impl.SavedModelLoader, meta_graph_pb2.MetaGraphDef]:
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
