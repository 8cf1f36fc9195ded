"""How to batch: TensorFlow Serving's `BatchingParameters`, checked as its server checks them."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

from serving import machine
from serving.errors import ServingError


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """When requests are joined; names and defaults are TensorFlow Serving's.

    Attributes:
        max_batch_size: most rows of one request, and of a batch unless `execution_size` says less.
        batch_timeout_s: how long the first request of a batch may wait for others.
        max_enqueued_batches: batches of one kind that may wait, until requests are refused.
        num_batch_threads: batches that may run at once.
        thread_pool_name: what metrics call these threads.
        allowed_batch_sizes: rising; batches are filled up to one of them. Empty means any size.
        pad_variable_length_inputs: joins requests of unequal inner shapes by padding them at the end.
        execution_size: most rows of a batch; larger requests are split into several.

    Raises:
        ServingError: INVALID_ARGUMENT, in TensorFlow Serving's words.
    """

    max_batch_size: int = 1000
    batch_timeout_s: float = 0.0
    max_enqueued_batches: int = 10
    num_batch_threads: int = dataclasses.field(default_factory=machine.cpus)
    thread_pool_name: str = "model_server_batch_threads"
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    execution_size: int = 0

    def __post_init__(self) -> None:
        if not self.execution_size:
            object.__setattr__(self, "execution_size", self.max_batch_size)
        self._check_numbers()
        self._check_sizes()

    def _check_numbers(self) -> None:
        if self.num_batch_threads < 1:
            raise ServingError(f"num_batch_threads must be positive; was {self.num_batch_threads}")
        if self.max_batch_size < 1:
            raise ServingError(f"max_batch_size must be positive; was {self.max_batch_size}")
        if self.batch_timeout_s < 0:
            micros = round(self.batch_timeout_s * 1e6)
            raise ServingError(f"batch_timeout_micros must be non-negative; was {micros}")
        if self.max_enqueued_batches < 0:
            raise ServingError(f"max_enqueued_batches must be non-negative; was {self.max_enqueued_batches}")
        if not 0 < self.execution_size <= self.max_batch_size:
            raise ServingError(
                f"max_execution_batch_size should be less than or equal to max_batch_size; was "
                f"{self.execution_size} and {self.max_batch_size}"
            )

    def _check_sizes(self) -> None:
        sizes = self.allowed_batch_sizes
        if sizes and (sizes[0] < 1 or any(low >= high for low, high in itertools.pairwise(sizes))):
            raise ServingError("allowed_batch_sizes entries must be positive and monotonically increasing")
        if sizes and sizes[-1] != self.execution_size:
            raise ServingError(
                f"Last entry in allowed_batch_sizes must match max_batch_size; last entry was {sizes[-1]}; "
                f"expected {self.execution_size}"
            )

    def padding(self, rows: int) -> int:
        """Tells how many rows a batch must be filled up with; one without rows has none to repeat."""
        return next((size - rows for size in self.allowed_batch_sizes if size >= rows), 0) if rows else 0


def from_proto(proto: Any) -> BatchingParameters:
    """Reads a `config_protos.BatchingParameters`; what it leaves out has its default.

    Raises:
        ServingError: a number is impossible.
    """
    values: dict[str, Any] = {
        name: getattr(proto, name).value
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads", "thread_pool_name")
        if proto.HasField(name)
    }
    if proto.HasField("batch_timeout_micros"):
        values["batch_timeout_s"] = proto.batch_timeout_micros.value / 1e6
    if proto.enable_large_batch_splitting.value and proto.HasField("max_execution_batch_size"):
        values["execution_size"] = proto.max_execution_batch_size.value
    return BatchingParameters(
        allowed_batch_sizes=tuple(proto.allowed_batch_sizes),
        pad_variable_length_inputs=proto.pad_variable_length_inputs,
        **values,
    )
