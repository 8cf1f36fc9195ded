"""A client of any TensorFlow Serving server, over the official stubs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import grpc
import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving import channels, recommendations, searches, tensors
from serving.errors import Code, ServingError

_READY_POLL_SECONDS = 0.1
_State = get_model_status_pb2.ModelVersionStatus.State


@dataclasses.dataclass(frozen=True)
class Version:
    """What a server says of one version of a model.

    Attributes:
        number: the version.
        state: `AVAILABLE` when it serves; else `START`, `LOADING`, `UNLOADING`, `END` or `UNKNOWN`.
        error: why it could not be loaded, `""` if nothing went wrong.
    """

    number: int
    state: str
    error: str


class Client:
    """Calls one model of a server; close it, or use it in a `with` statement.

    Args:
        target: `host:port`.
        model_name: the model's name on that server.
        timeout: seconds that a call may take, retries while the server is UNAVAILABLE included.
        credentials: for TLS, as `channels.tls` reads them; none connects without TLS.
    """

    def __init__(
        self,
        target: str = "localhost:8500",
        model_name: str = "default",
        timeout: float = 10.0,
        credentials: grpc.ChannelCredentials | None = None,
    ):
        self.target = target
        self.model_name = model_name
        self.timeout = timeout
        self._channel = channels.connect(target, timeout, credentials)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def predict(
        self, signature: str, inputs: Mapping[str, Any], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Runs one signature; see `predictor.Predictor.predict`."""
        request = predict_pb2.PredictRequest(output_filter=outputs or ())
        request.model_spec.name = self.model_name
        request.model_spec.signature_name = signature
        for alias, value in inputs.items():
            tensors.write_fields(tensors.to_array(value), request.inputs[alias])
        response = self._call(self._predictions.Predict, request, self.timeout)
        return {alias: tensors.decode(proto) for alias, proto in response.outputs.items()}

    def recommend(
        self, user_id: str = "", history: Iterable[str] = (), exclude: Iterable[str] = (), k: int = 10
    ) -> list[recommendations.Recommendation]:
        """Recommends items to one user; see `recommendations.recommend`."""
        return recommendations.recommend(self, user_id, history, exclude, k)

    def search(
        self,
        query: str,
        user_id: str = "",
        history: Iterable[str] = (),
        exclude: Iterable[str] = (),
        personal: float | None = None,
        k: int = 10,
    ) -> searches.SearchAnswer:
        """Searches for items in plain language; see `searches.search`."""
        return searches.search(self, query, user_id, history, exclude, personal, k)

    def signatures(self) -> dict[str, meta_graph_pb2.SignatureDef]:
        """Asks for the model's signatures: what it can be asked, with types and shapes.

        Raises:
            ServingError: no answer came; with the server's words.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self.model_name
        response = self._call(self._predictions.GetModelMetadata, request, self.timeout)
        packed = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(packed)
        return dict(packed.signature_def)

    def versions(self) -> list[Version]:
        """Asks for the state of every version of the model, the highest first.

        Raises:
            ServingError: no answer came, or the server never heard of the model; with the server's words.
        """
        return self._versions(self.timeout)

    def wait_until_ready(self, deadline_s: float = 60.0) -> None:
        """Returns once a version of the model is AVAILABLE.

        Raises:
            ServingError: the server knows no such model, no version of it can be loaded, or the deadline
                is over; with the server's words.
        """
        end = time.monotonic() + deadline_s
        pending: ServingError | None = None
        while True:
            problem = self._status_problem(max(0.0, end - time.monotonic()))
            if problem is None:
                return
            # The last question may be cut short by the deadline; what was said before tells more.
            if pending is None or problem.code != Code.DEADLINE_EXCEEDED:
                pending = problem
            if time.monotonic() >= end:
                raise pending
            time.sleep(_READY_POLL_SECONDS)

    def _call(self, method: Callable[..., Any], request: Any, timeout: float) -> Any:
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise channels.explain(error, self.target, timeout) from error

    def _versions(self, timeout: float) -> list[Version]:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self.model_name
        response = self._call(self._models.GetModelStatus, request, timeout)
        return [
            Version(each.version, _State.Name(each.state), each.status.error_message)
            for each in response.model_version_status
        ]

    def _status_problem(self, time_left: float) -> ServingError | None:
        """Asks for the model's status: None if it is available, an error if it may yet become so.

        Raises:
            ServingError: it will not become available by waiting.
        """
        try:
            versions = self._versions(min(time_left, self.timeout))
        except ServingError as error:
            if error.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED):
                return error
            raise
        states = {version.state for version in versions}
        if "AVAILABLE" in states:
            return None
        if states == {"END"}:
            raise ServingError(
                f"{self.target} serves no version of {self.model_name}: {versions[0].error}",
                Code.UNAVAILABLE,
            )
        return ServingError(f"{self.target} is still loading {self.model_name}", Code.UNAVAILABLE)
