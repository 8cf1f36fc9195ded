"""Version labels: names, such as `stable`, that requests use instead of version numbers."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Mapping

from serving.errors import Code, ServingError
from serving.settings.model_configs import ModelConfig

# For each model, which version each of its labels means.
Labels = Mapping[str, Mapping[str, int]]


class Unavailable(enum.Enum):
    """Which labels may mean versions that are not loaded."""

    NONE = "none"
    UNUSED = "those that do not mean another version yet"
    ANY = "any"


def assign(
    configs: Iterable[ModelConfig],
    current: Labels,
    available: Callable[[str], Collection[int]],
    unavailable: Unavailable,
) -> Labels:
    """Makes the labels of models, which may only mean versions that are there.

    Args:
        configs: the models.
        current: the labels so far.
        available: gives the loaded versions of a model.
        unavailable: which labels may mean versions that are not loaded.

    Raises:
        ServingError: FAILED_PRECONDITION for a label of a version that is not there.
    """
    for config in configs:
        loaded = available(config.name)
        for label, version in config.labels.items():
            moves = current.get(config.name, {}).get(label, version) != version
            if version not in loaded and not _allows(unavailable, moves):
                raise ServingError(
                    f"Request to assign label to version {version} of model {config.name}, which is not "
                    "currently available for inference",
                    Code.FAILED_PRECONDITION,
                )
    return {config.name: dict(config.labels) for config in configs}


def _allows(unavailable: Unavailable, moves: bool) -> bool:
    return unavailable is Unavailable.ANY or (unavailable is Unavailable.UNUSED and not moves)


def resolve(labels: Labels, model_name: str, label: str) -> int:
    """Gives the version that a label means.

    Raises:
        ServingError: INVALID_ARGUMENT if there is no such label.
    """
    try:
        return labels[model_name][label]
    except KeyError as error:
        raise ServingError(f"Unrecognized servable version label: {label}") from error
