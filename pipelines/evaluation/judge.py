"""Judges a model through its signatures alone, as any client could, beside peers on the same split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
from rich.progress import Progress

from pipelines.evaluation import peers
from pipelines.evaluation.cases import Cases, HeldOut, Interactions, read_cases, read_ids, read_interactions
from pipelines.evaluation.report import Metric, Report, Row, ranking_metrics
from preprocessing.schema import PADDING, RESERVED, InputError, Schema
from serving.predictor import Predictor
from serving.recommendations import describe
from trainer.metrics import target_ranks

BATCH = 128
CHECKED_ITEMS = 100
LARGEST_EASE = 20_000
"""Items; EASE inverts a matrix of this size, which takes minutes and some 10 GB from here on."""


def judge(predictor: Predictor, examples: Path, part: HeldOut, progress: Progress) -> Report:
    """Compares a model with popularity, EASE and, with labels, user-plus-item biases.

    The whole catalogue is ranked, the case's history left out. Of the model only the list that it
    returns is seen, so a target behind its end counts as not found; MRR too is cut there.

    Args:
      predictor: a loaded model or a client, with the signatures of docs/architecture.md.
      examples: the folder that the model was trained on.
      part: what to judge by.
      progress: where to show how far it is.

    Raises:
      InputError: no finished examples, an empty part, or a model that breaks its contract.
    """
    schema = Schema.read(examples)
    cases = read_cases(examples, schema, part)
    validation = read_cases(examples, schema, "validation")
    interactions = read_interactions(examples, schema)
    item_ids, user_ids = read_ids(examples, schema.items), read_ids(examples, schema.users)
    _check_catalogue(predictor, examples, item_ids[RESERVED:])
    asked = Questions(predictor, cases, item_ids, user_ids, progress)
    rows = [
        Row("Tandem", ranking_metrics(asked.ranks("serving_default"), cases) | asked.label_metric()),
        Row("Tandem, retrieval", ranking_metrics(asked.ranks("retrieve"), cases)),
    ]
    others, choices, notes = _peer_rows(schema, interactions, validation, cases, progress)
    if cases.repeats:
        notes = (*notes, f"{cases.repeats:,} held-out interactions were left out as repeats.")
    counts = {"cases": len(cases), "targets": len(cases.target)}
    return Report(
        schema.name, schema.split, part, **counts, rows=(*rows, *others), choices=choices, notes=notes
    )


def _check_catalogue(predictor: Predictor, examples: Path, item_ids: np.ndarray) -> None:
    """Refuses a model of other examples, which would answer with items that are no targets here."""
    asked = [name.decode() for name in item_ids[:CHECKED_ITEMS]]
    titles = describe(predictor, asked)
    if titles is not None and len(titles) < len(asked) / 2:
        raise InputError(
            f"{examples}: the model knows {len(titles)} of the first {len(asked)} items here; "
            "is it a model of other examples?"
        )


class Questions:
    """Asks a model about cases, some at a time.

    A user whose history is empty at the cut is asked for as nobody (`""`): the exported model knows
    the user's whole history, the held-out items included, and falls back on it.

    Args:
      item_ids, user_ids: raw ids by index, `b""` for the reserved ones.
    """

    def __init__(
        self,
        predictor: Predictor,
        cases: Cases,
        item_ids: np.ndarray,
        user_ids: np.ndarray,
        progress: Progress,
    ) -> None:
        self._predictor = predictor
        self._cases = cases
        self._item_ids = item_ids
        self._user_ids = user_ids
        self._progress = progress

    def ranks(self, signature: str) -> np.ndarray:
        """The rank of each target `[T]` in the returned list; infinity for one that is not in it."""
        ranks = np.full(len(self._cases.target), np.inf)
        for rows, targets in self._batches(signature):
            inputs = self._user(rows)
            inputs["exclude"] = inputs["history"]
            answer = self._predictor.predict(signature, inputs, ("item_id", "score"))
            self._check(signature, answer["item_id"], inputs)
            row = self._cases.case[targets] - rows.start
            wanted = self._item_ids[self._cases.target[targets]]
            listed = answer["item_id"][row]
            found = listed == wanted[:, None]
            place = target_ranks(answer["score"][row], found.argmax(axis=1), listed == b"")
            ranks[targets] = np.where(found.any(axis=1), place, np.inf)
        return ranks

    def label_metric(self) -> dict[str, Metric]:
        """RMSE of the predicted labels, or without labels the AUC of `rank`.

        The AUC compares each target with one item that is drawn uniformly among those the user has
        nothing to do with, always the same ones; ties count half, and so does a user who knows all.
        """
        wanted, other = np.zeros(len(self._cases.target)), np.zeros(len(self._cases.target))
        output = "score" if self._cases.label is None else "rating"
        drawn = draw_others(self._cases, len(self._item_ids))
        for rows, targets in self._batches("rank"):
            # Each case's targets stand in a row of their own, then the drawn items in the same places.
            case = self._cases.case[targets] - rows.start
            place = np.arange(len(case)) - np.searchsorted(case, case)
            width = int(place.max(initial=-1)) + 1
            candidates = np.zeros((rows.stop - rows.start, 2 * width), np.int64)
            candidates[case, place] = self._cases.target[targets]
            candidates[case, width + place] = drawn[targets]
            inputs = self._user(rows) | {"candidate_id": self._item_ids[candidates]}
            values = self._predictor.predict("rank", inputs, (output,))[output]
            wanted[targets], other[targets] = values[case, place], values[case, width + place]
        if self._cases.label is not None:
            return label_error(wanted, self._cases)
        other = np.where(drawn == PADDING, wanted, other)
        return {"AUC": Metric.over_targets((wanted > other) + (wanted == other) / 2, self._cases)}

    def _batches(self, signature: str) -> Iterator[tuple[slice, slice]]:
        task = self._progress.add_task(f"asking {signature}", total=len(self._cases))
        for rows, targets in self._cases.batches(BATCH):
            yield rows, targets
            self._progress.advance(task, rows.stop - rows.start)

    def _user(self, rows: slice) -> dict[str, np.ndarray]:
        histories = self._cases.history[rows]
        width = max(map(len, histories), default=0)
        padded = np.zeros((len(histories), width), np.int64)
        for row, history in zip(padded, histories, strict=True):
            row[: len(history)] = history
        history_ids = self._item_ids[padded]
        known = (history_ids != b"").any(axis=1)
        users = np.where(known, self._user_ids[self._cases.user[rows]], b"")
        return {"user_id": users, "history": history_ids}

    def _check(self, signature: str, listed: np.ndarray, inputs: dict[str, np.ndarray]) -> None:
        for items, excluded, user in zip(listed, inputs["exclude"], inputs["user_id"], strict=True):
            returned = (set(items) & set(excluded)) - {b""}
            if returned:
                item = returned.pop().decode()
                raise InputError(
                    f"{signature} returned item {item!r} to user {user.decode()!r}, who excluded it"
                )


def draw_others(cases: Cases, items: int) -> np.ndarray:
    """Draws for each target `[T]` an item that is in neither the case's history nor its targets.

    Padding where there is none.
    """
    generator = np.random.default_rng(0)
    drawn = np.zeros(len(cases.target), np.int64)
    for rows, targets in cases.batches(1):
        own = np.concatenate([cases.history[rows.start], cases.target[targets]])
        free = np.setdiff1d(np.arange(RESERVED, items), own)
        if len(free):
            drawn[targets] = generator.choice(free, targets.stop - targets.start)
    return drawn


def label_error(predicted: np.ndarray, cases: Cases) -> dict[str, Metric]:
    """RMSE of the predicted labels `[T]`, each target counted once."""
    squares = np.square(predicted - cast(np.ndarray, cases.label))
    return {"RMSE": Metric.over_targets(squares, cases).root()}


def _peer_rows(
    schema: Schema, interactions: Interactions, validation: Cases, cases: Cases, progress: Progress
) -> tuple[list[Row], dict[str, float], tuple[str, ...]]:
    users, items = schema.users.size, schema.items.size
    task = progress.add_task("fitting peers", total=3)
    rows, choices, notes = [], {}, []
    if items <= LARGEST_EASE:
        ease = peers.choose_ease(interactions, users, items, validation)
        choices["EASE strength"] = ease.strength
        rows.append(Row("EASE", ranking_metrics(peers.catalogue_ranks(ease, cases), cases)))
    else:
        notes.append(f"EASE was left out: {items:,} items, and it is fitted up to {LARGEST_EASE:,}.")
    progress.advance(task)
    popularity = peers.Popularity(interactions, items)
    rows.append(Row("popularity", ranking_metrics(peers.catalogue_ranks(popularity, cases), cases)))
    progress.advance(task)
    if schema.label:
        bias = peers.choose_bias(interactions, users, items, validation)
        choices["bias strength"] = bias.strength
        predicted = bias.predict(cases.user[cases.case], cases.target)
        # The model's ratings are kept within the range of the labels, so the peer's are as well.
        within = np.clip(predicted, schema.label.minimum, schema.label.maximum)
        rows.append(Row("user + item bias", label_error(within, cases)))
    progress.advance(task)
    return rows, choices, tuple(notes)
