"""Judges models and peers by the same cases with the same code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.progress import Progress

from pipelines.evaluation.answers import catalogue_answers, pair_scores
from pipelines.evaluation.calibration import Bin, calibration
from pipelines.evaluation.cases import HeldOut, read_cases, read_ids, read_interactions, with_validation
from pipelines.evaluation.exposure import exposure
from pipelines.evaluation.index_recall import index_recall
from pipelines.evaluation.latency import latency
from pipelines.evaluation.measures import Metric, wins
from pipelines.evaluation.model_version import ModelVersion
from pipelines.evaluation.peers.bias import UserItemBias
from pipelines.evaluation.peers.peer import Kind, Peer
from pipelines.evaluation.peers.usual import usual_peers
from pipelines.evaluation.people import Person, people
from pipelines.evaluation.questions import Pairs, Questions, draw_others
from pipelines.evaluation.report import BASELINE, Report, Serving
from pipelines.evaluation.requests import Requests
from pipelines.evaluation.rows import Judged, Yardstick
from pipelines.evaluation.slices import ITEM_SLICES, USER_SLICES, slices
from pipelines.evaluation.texts import read_texts
from pipelines.evaluation.tuning import refit, tune, tune_bias
from preprocessing.schema import PADDING, RESERVED, InputError, Schema
from serving.predictor import Predictor
from serving.recommendations import describe

CHECKED_ITEMS = 100
LARGEST_TEXTS = 20_000
"""Items whose texts `judge` has the language model read: a minute on two cores."""


@dataclass(frozen=True)
class Baseline:
    """Another model, with which the judged one is compared case by case."""

    predictor: Predictor
    version: ModelVersion | None = None


def judge(
    predictor: Predictor,
    examples: Path,
    part: HeldOut,
    progress: Progress,
    version: ModelVersion | None = None,
    baseline: Baseline | None = None,
) -> Report:
    """Compares a model with the usual peers and, with labels, with user-plus-item biases.

    The whole catalogue is ranked, the case's history left out. Of the model only the list that it
    returns is seen, so a target behind its end counts as not found; MRR too is cut there.

    Args:
      predictor: a loaded model or a client, with the signatures of docs/architecture.md.
      examples: the folder that the model was trained on.
      part: what to judge by.
      progress: where to show how far it is.
      version: which version the model is, for the record.
      baseline: another model of the same examples.

    Raises:
      InputError: no finished examples, an empty part, or a model that breaks its contract.
    """
    court = Judge(examples, part, progress)
    judged = [court.model("Tandem", predictor)]
    serving = {"Tandem": court.serving(predictor)}
    if baseline is not None:
        judged.append(court.model(BASELINE, baseline.predictor))
        serving[BASELINE] = court.serving(baseline.predictor)
    judged.append(court.retrieval("Tandem, retrieval", predictor))
    texts, notes = None, []
    if court.schema.items.text and court.schema.items.size <= LARGEST_TEXTS:
        texts = read_texts(examples, court.schema, progress)
    elif court.schema.items.text:
        notes.append(f"Text peers and similarity were left out: more than {LARGEST_TEXTS:,} items.")
    kinds, left_out = usual_peers(court.users, court.items, times=court.times, texts=texts)
    judged += [court.peer(kind) for kind in kinds]
    if court.schema.label:
        judged.append(court.bias())
    return replace(
        court.report(judged, texts, [*notes, *left_out]),
        model=version,
        baseline=baseline.version if baseline else None,
        serving=serving,
        people=court.people(predictor),
    )


class Judge:
    """Knows the cases of a part, and all else that is the same for everybody who is judged.

    Peers' settings are always chosen on the validation part, by what was fitted to the training part. To
    be judged by the test part they are fitted once more to both, as one would before going live, and as
    published figures are; what is in neither is unseen there.

    Args:
      examples: the folder of the examples.
      part: what to judge by.
      progress: where to show how far it is.

    Raises:
      InputError: no finished examples, or an empty part.
    """

    def __init__(self, examples: Path, part: HeldOut, progress: Progress) -> None:
        self.schema = Schema.read(examples)
        self.users, self.items = self.schema.users.size, self.schema.items.size
        self._interactions = read_interactions(examples, self.schema)
        self._earlier = self._interactions
        if part == "test":
            self._earlier = with_validation(self._interactions, examples, self.schema)
        self.cases = read_cases(examples, self.schema, part)
        self._validation = read_cases(examples, self.schema, "validation")
        self._item_ids = read_ids(examples, self.schema.items)
        self._requests = Requests(self.cases, self._item_ids, read_ids(examples, self.schema.users))
        self._item_counts = self._earlier.item_counts(self.items)
        user_counts = np.bincount(self._earlier.user, minlength=self.users)
        self._slices = slices(self.cases, self._item_counts, user_counts)
        self._examples = examples
        self._part = part
        self._progress = progress

    @property
    def times(self) -> bool:
        """Whether the interactions have times."""
        return self._interactions.time is not None

    def model(self, name: str, predictor: Predictor) -> Judged:
        """Judges what an exported model serves, and its ratings.

        Raises:
          InputError: it is a model of other examples, or breaks its contract.
        """
        self._check_catalogue(predictor)
        asked = self._questions(predictor)
        answers = asked.answers("serving_default")
        if self.cases.label is None:
            pairs = asked.pairs(("score", "rating"))
            labels = {"AUC": wins(pairs.wanted["score"], pairs.other["score"])}
            bins = self._click_calibration(pairs)
        else:
            predicted = asked.pairs(("rating",)).wanted["rating"]
            labels = {"RMSE": np.square(predicted - self.cases.label)}
            bins = calibration(predicted, self.cases.label, self.cases.case)
        return Judged(name, answers, labels, calibration=bins)

    def retrieval(self, name: str, predictor: Predictor) -> Judged:
        """Judges a model's candidates before ranking, which have no opinion about labels."""
        asked = self._questions(predictor)
        labels = {}
        if self.schema.label is None:
            pairs = asked.pairs(("retrieved",))
            labels = {"AUC": wins(pairs.wanted["retrieved"], pairs.other["retrieved"])}
        return Judged(name, asked.answers("retrieve"), labels)

    def serving(self, predictor: Predictor) -> Serving:
        """Measures a model's index and how long it takes to answer."""
        found = index_recall(predictor, self._requests, self.items, self._progress)
        return Serving(
            index=Metric.means(found) if found else {},
            users=max(map(len, found.values()), default=0),
            latency=latency(predictor, self._requests, self._progress),
        )

    def people(self, predictor: Predictor) -> tuple[Person, ...]:
        """Asks a model about a few people: one of each slice of users, then of items."""
        names = [name for name in (*USER_SLICES, *ITEM_SLICES) if name in self._slices]
        return people(predictor, self._requests, {name: self._slices[name] for name in names})

    def peer(self, kind: Kind) -> Judged:
        """Tunes a peer on the validation part and judges the best of its kind."""
        task = self._progress.add_task(f"tuning {kind.name}", total=len(kind.grid))
        tuned = tune(
            kind, self._interactions, self._validation, self.items, lambda: self._progress.advance(task)
        )
        peer = tuned.peer
        if self._part == "test":
            peer = refit(tuned, kind, self._earlier, self.items)
        answers = catalogue_answers(peer, self.cases, self.items)
        labels = {} if self.schema.label else {"AUC": self._wins(peer)}
        return Judged(kind.name, answers, labels, peer=True, trials=tuned.trials, choice=tuned.best)

    def bias(self) -> Judged:
        """Judges the ratings of user and item biases, which rank nothing."""
        label = self.schema.label
        if label is None:
            raise ValueError("biases need labels")
        bias, trials, best = tune_bias(self._interactions, self.users, self.items, self._validation)
        if self._part == "test":
            bias = UserItemBias.fit(self._earlier, self.users, self.items, bias.strength)
        predicted = bias.predict(self.cases.user[self.cases.case], self.cases.target)
        # The model's ratings are kept within the range of the labels, so the peer's are as well.
        error = np.square(np.clip(predicted, label.minimum, label.maximum) - self.cases.label)
        return Judged("user + item bias", None, {"RMSE": error}, peer=True, trials=trials, choice=best)

    def report(self, judged: Sequence[Judged], texts: np.ndarray | None, notes: Sequence[str]) -> Report:
        """Puts them side by side; the first is whom the others are compared with.

        Args:
          judged: in the order of the table.
          texts: `[N, H]` text vectors, by which the likeness of lists is measured, or None.
          notes: what was left out, and why.
        """
        known = self._earlier.matrix(self.users, self.items)
        yardstick = Yardstick(
            cases=self.cases,
            items=self.items,
            users=int((np.diff(known.indptr) > 0).sum()),
            item_users=np.asarray(known.sum(axis=0)).ravel(),
            slices=self._slices,
            texts=texts,
        )
        if self.cases.repeats:
            notes = (*notes, f"{self.cases.repeats:,} held-out interactions were left out as repeats.")
        return Report(
            name=self.schema.name,
            split=self.schema.split,
            part=self._part,
            cases=len(self.cases),
            targets=len(self.cases.target),
            rows=tuple(yardstick.rows(judged)),
            choices={each.name: each.choice.settings for each in judged if each.choice},
            notes=tuple(notes),
            slices=yardstick.sizes(),
            trials={each.name: each.trials for each in judged if each.trials},
            exposure=exposure(
                self._item_counts,
                self.cases.target,
                {each.name: each.answers.top for each in judged if each.answers},
            ),
        )

    def _questions(self, predictor: Predictor) -> Questions:
        return Questions(predictor, self._requests, self._progress)

    def _wins(self, peer: Peer) -> np.ndarray:
        drawn = draw_others(self.cases, self.items)
        wanted, other = pair_scores(peer, self.cases, self.items, drawn)
        return wins(wanted, np.where(drawn == PADDING, wanted, other))

    def _click_calibration(self, pairs: Pairs) -> tuple[Bin, ...]:
        """Of the probability of a click, which is learned against one random item for each."""
        held = pairs.drawn
        wanted, other = pairs.wanted["rating"][held], pairs.other["rating"][held]
        observed = np.repeat([1.0, 0.0], len(wanted))
        return calibration(np.concatenate([wanted, other]), observed, np.tile(self.cases.case[held], 2))

    def _check_catalogue(self, predictor: Predictor) -> None:
        """Refuses a model of other examples, which would answer with items that are no targets here."""
        asked = [name.decode() for name in self._item_ids[RESERVED:][:CHECKED_ITEMS]]
        titles = describe(predictor, asked)
        if titles is not None and len(titles) < len(asked) / 2:
            raise InputError(
                f"{self._examples}: the model knows {len(titles)} of the first {len(asked)} items here; "
                "is it a model of other examples?"
            )
