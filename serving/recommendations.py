"""Tandem's own signatures, asked for one user: recommendations with titles and reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from serving.errors import Code, ServingError
from serving.predictor import Predictor


@dataclasses.dataclass(frozen=True)
class Recommendation:
    """One recommended item.

    Attributes:
        item_id: the item.
        title: its title, `""` if the model tells none.
        score: higher is better; comparable within one answer only.
        because: the item of the history that weighed most, `""` if none did.
        because_title: that item's title.
    """

    item_id: str
    title: str
    score: float
    because: str
    because_title: str


def recommend(
    predictor: Predictor,
    user_id: str = "",
    history: Iterable[str] = (),
    exclude: Iterable[str] = (),
    k: int = 10,
) -> list[Recommendation]:
    """Recommends items to one user.

    Args:
        predictor: a Tandem model, loaded here or on a server.
        user_id: the user; one the model does not know gets what suits the history alone.
        history: item ids, the newest last; when empty, the user's stored history counts.
        exclude: item ids that must not come back.
        k: how many, up to the number fixed when the model was exported.

    Returns:
        The best first; fewer than `k` if no more remain.

    Raises:
        ServingError: the request is impossible or no answer came.
    """
    if k < 1:
        raise ServingError(f"k must be at least 1, not {k}")
    answer = predictor.predict(
        "serving_default",
        {"user_id": strings([user_id]), "history": row_of(history), "exclude": row_of(exclude)},
        ("item_id", "score", "because"),
    )
    items = [item.decode("utf-8", "replace") for item in answer["item_id"][0] if item][:k]
    reasons = [item.decode("utf-8", "replace") for item in answer["because"][0][: len(items)]]
    titles = describe(predictor, {*items, *reasons} - {""}) or {}
    return [
        Recommendation(item, titles.get(item, ""), float(score), reason, titles.get(reason, ""))
        for item, score, reason in zip(items, answer["score"][0], reasons, strict=False)
    ]


def describe(predictor: Predictor, item_ids: Iterable[str]) -> dict[str, str] | None:
    """Gives the titles of those items that the model knows, by id; None if the model tells no titles.

    Raises:
        ServingError: no answer came.
    """
    asked = list(dict.fromkeys(item_ids))
    if not asked:
        return {}
    try:
        titles = predictor.predict("describe", {"item_id": strings(asked)})["title"]
    except ServingError as error:
        if error.code == Code.FAILED_PRECONDITION:  # there is no such signature
            return None
        raise
    return {
        item: title.decode("utf-8", "replace") for item, title in zip(asked, titles, strict=True) if title
    }


def row_of(values: Iterable[str]) -> np.ndarray:
    """Gives text as a string tensor of one row."""
    return strings(list(values)).reshape(1, -1)


def strings(values: Sequence[str]) -> np.ndarray:
    """Gives text as the bytes of a string tensor; an array, because an empty list has no type."""
    encoded = np.empty(len(values), dtype=object)
    for index, value in enumerate(values):
        try:
            encoded[index] = value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ServingError(f"{value!r} is not valid UTF-8 text") from error
    return encoded
