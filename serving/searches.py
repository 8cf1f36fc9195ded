"""The `search` signature, asked one query: what was understood, what was found, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from serving.errors import Code, ServingError
from serving.predictor import Predictor
from serving.recommendations import describe, row_of, strings


@dataclasses.dataclass(frozen=True)
class Interest:
    """A part of a query.

    Attributes:
        text: its words.
        weight: its share of what is wanted, 0 if the model knows none of its words; negative for what is
            not wanted.
    """

    text: str
    weight: float


@dataclasses.dataclass(frozen=True)
class Found:
    """One item that was found.

    Attributes:
        item_id: the item.
        title: its title, `""` if the model tells none.
        score: higher is better; comparable within one answer only.
        matched: the interest that it owes most to, `""` if none.
        match: how well it matches each interest, in standard deviations above the average item.
    """

    item_id: str
    title: str
    score: float
    matched: str
    match: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class SearchAnswer:
    """What a query was taken for, and the items found, the best first."""

    interests: tuple[Interest, ...]
    items: tuple[Found, ...]


def search(
    predictor: Predictor,
    query: str,
    user_id: str = "",
    history: Iterable[str] = (),
    exclude: Iterable[str] = (),
    personal: float | None = None,
    k: int = 10,
) -> SearchAnswer:
    """Searches for items in plain language.

    Args:
        predictor: a Tandem model, loaded here or on a server.
        query: what somebody asks for, and what they do not want.
        user_id: who asks; their stored history counts when none is given.
        history: item ids, the newest last.
        exclude: item ids that must not come back.
        personal: how much the person counts beside the words, 0 to 1; the model's own when None.
        k: how many, up to the number fixed when the model was exported.

    Returns:
        The interests and the items; fewer than `k` if no more remain.

    Raises:
        ServingError: the request is impossible, the model cannot be searched, or no answer came.
    """
    if k < 1:
        raise ServingError(f"k must be at least 1, not {k}")
    if personal is not None and not 0 <= personal <= 1:
        raise ServingError(
            f"personal must be from 0 (the words alone) to 1 (the person alone), not {personal}"
        )
    inputs: dict[str, Any] = {
        "query": strings([query]),
        "history": row_of(history),
        "exclude": row_of(exclude),
    }
    signature = "search"
    if user_id or personal is not None:
        signature = "search_as"
        # What is no number stands for the model's own share.
        share = np.array([np.nan if personal is None else personal], np.float32)
        inputs |= {"user_id": strings([user_id]), "personal": share}
    try:
        answer = predictor.predict(signature, inputs)
    except ServingError as error:
        if error.code == Code.FAILED_PRECONDITION:  # there is no such signature
            raise ServingError(
                "this model cannot be searched: its items have no texts, or it was exported without search",
                error.code,
            ) from error
        raise
    items = [item.decode("utf-8", "replace") for item in answer["item_id"][0] if item][:k]
    titles = describe(predictor, items) or {}
    interests = [
        Interest(text.decode("utf-8", "replace"), float(weight))
        for text, weight in zip(answer["interest"][0], answer["weight"][0], strict=True)
        if text
    ]
    found = [
        Found(
            item,
            titles.get(item, ""),
            float(answer["score"][0][place]),
            answer["matched"][0][place].decode("utf-8", "replace"),
            tuple(float(value) for value in answer["match"][0][place][: len(interests)]),
        )
        for place, item in enumerate(items)
    ]
    return SearchAnswer(tuple(interests), tuple(found))
