"""Makes the cluster that a config asks for."""

from __future__ import annotations

import tensorflow as tf

from preprocessing.schema import InputError
from trainer.distribution.cluster import Cluster
from trainer.distribution.config import (
    CLUSTER,
    AnyDistributionConfig,
    MirroredConfig,
    MultiWorkerConfig,
    OneConfig,
    are_sharded,
    is_in_cluster,
)


def connect(config: AnyDistributionConfig) -> Cluster:
    """Makes the strategy, and waits until all workers are there.

    Raises:
      InputError: this machine does not have what is asked for.
    """
    if isinstance(config, OneConfig):
        return Cluster()
    if isinstance(config, MirroredConfig):
        return Cluster(tf.distribute.MirroredStrategy(_devices(config.devices)))
    if isinstance(config, MultiWorkerConfig):
        return _workers()
    # A TPU looks up rows of divided tables by numbers that have to wait on the host.
    on_host = tf.distribute.InputOptions(experimental_fetch_to_device=False)
    return Cluster(_tpu(config.address), input_options=on_host if are_sharded(config) else None)


def _devices(count: int | None) -> list[str]:
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if count is not None and count > len(gpus):
            raise InputError(
                f"train.distribution.devices: {count} asked for, this machine has {len(gpus)} GPUs"
            )
        return [f"GPU:{number}" for number in range(count or len(gpus))]
    if count is None:
        raise InputError(
            "train.distribution: this machine has no GPU; say into how many devices to part its CPU"
        )
    (cpu,) = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration() for _ in range(count)]
    try:
        if len(tf.config.get_logical_device_configuration(cpu) or [cpu]) != count:
            tf.config.set_logical_device_configuration(cpu, parts)
    except RuntimeError:
        raise InputError(
            "train.distribution.devices: TensorFlow has started in this process and cannot part the CPU any "
            "more; train with `tandem train`"
        ) from None
    return [f"CPU:{number}" for number in range(count)]


def is_chief(config: AnyDistributionConfig) -> bool:
    """Whether this process is the one that exports: the only one, or the first of the workers.

    Raises:
      InputError: the environment does not say which of the workers this is.
    """
    return not is_in_cluster(config) or _place(_resolver())[0] == 0


def _resolver() -> tf.distribute.cluster_resolver.ClusterResolver:
    return tf.distribute.cluster_resolver.TFConfigClusterResolver()


def _place(resolver: tf.distribute.cluster_resolver.ClusterResolver) -> tuple[int, int]:
    """Which of the workers this process is, and how many there are."""
    try:
        members = resolver.cluster_spec().as_dict()
        kinds = ("chief", "worker")
        order = [(kind, number) for kind in kinds for number in range(len(members.get(kind, ())))]
        return order.index((resolver.task_type, resolver.task_id)), len(order)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{CLUSTER}: not a chief or worker of a cluster: {error}") from None


def _workers() -> Cluster:
    resolver = _resolver()
    place, count = _place(resolver)
    strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    return Cluster(strategy, place, count)


def _tpu(address: str) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise InputError(f"train.distribution.address: no TPU at {address}: {error}") from None
    return tf.distribute.TPUStrategy(resolver)
