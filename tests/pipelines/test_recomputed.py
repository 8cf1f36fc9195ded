"""The report's numbers, computed once more from the definitions alone, one case at a time."""

import json
import math
from collections import Counter
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from rich.progress import Progress

from pipelines.evaluation.texts import read_texts
from preprocessing.schema import Schema
from serving.models.saved_model import LoadedModel


def _examples(folder: Path, part: str) -> list[dict[str, list]]:
    files = sorted(str(path) for path in folder.glob(f"{part}-*.tfrecord"))
    found = []
    for record in tf.data.TFRecordDataset(files).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        found.append(
            {
                name: list(value.float_list.value or value.int64_list.value or value.bytes_list.value)
                for name, value in features.items()
            }
        )
    return found


@pytest.fixture(scope="module")
def world(finished_run, evaluated):
    """What was reported, and what the model answers to each case, asked one by one."""
    folder, _ = finished_run
    examples = folder / "examples"
    items = ["", "", *(examples / "vocabulary-items.txt").read_text().splitlines()]
    users = ["", "", *(examples / "vocabulary-users.txt").read_text().splitlines()]
    model = LoadedModel(str(folder / "model" / "1"))
    cases = []
    for example in _examples(examples, "test"):
        history = example.get("history", [])
        (target,), (label,) = example["item"], example["label"]  # of leave_last each case has one
        assert history and target not in history
        user = np.array([users[example["user"][0]].encode()], object)
        past = np.array([[items[item].encode() for item in history]], object)
        listed = model.predict("serving_default", {"user_id": user, "history": past, "exclude": past})
        everything = np.array([[name.encode() for name in items[2:]]], object)
        ranked = model.predict("rank", {"user_id": user, "history": past, "candidate_id": everything})
        retrieved = model.predict("retrieve", {"user_id": user, "history": past, "exclude": past})
        cases.append(
            SimpleNamespace(
                user=example["user"][0],
                history=history,
                target=target,
                label=label,
                shown=[items.index(name.decode()) for name in listed["item_id"][0] if name],
                scores=[float(score) for score in listed["score"][0]],
                rating=float(ranked["rating"][0][target - 2]),
                exact=[float(score) for score in ranked["retrieved"][0]],
                retrieved=[items.index(name.decode()) for name in retrieved["item_id"][0] if name],
            )
        )
    model.close()
    counts: Counter[int] = Counter()
    owners: dict[int, set[int]] = {}
    for part in ("train", "validation"):
        for example in _examples(examples, part):
            counts.update(example["item"])
            for item in example["item"]:
                owners.setdefault(item, set()).add(example["user"][0])
    report = json.loads((evaluated[0] / "metrics.json").read_text())
    return SimpleNamespace(
        examples=examples, items=len(items), cases=cases, counts=counts, owners=owners, report=report
    )


def _rank(case: SimpleNamespace) -> float:
    """1 + those that score higher + half of those that score the same."""
    if case.target not in case.shown:
        return math.inf
    score = case.scores[case.shown.index(case.target)]
    same = sum(other == score for other in case.scores[: len(case.shown)]) - 1
    return 1 + sum(other > score for other in case.scores[: len(case.shown)]) + same / 2


def _ranking(cases: list[SimpleNamespace]) -> dict[str, float]:
    ranks = [_rank(case) for case in cases]
    return {
        "Recall@10": sum(rank <= 10 for rank in ranks) / len(ranks),
        "Recall@100": sum(rank <= 100 for rank in ranks) / len(ranks),
        "NDCG@10": sum(1 / math.log2(rank + 1) for rank in ranks if rank <= 10) / len(ranks),
        "MRR": sum(1 / rank for rank in ranks) / len(ranks),
        "RMSE": math.sqrt(sum((case.rating - case.label) ** 2 for case in cases) / len(cases)),
    }


def test_ranking_and_ratings(world: SimpleNamespace) -> None:
    assert world.report["cases"] == len(world.cases) > 50
    reported = world.report["rows"][0]["metrics"]
    for name, value in _ranking(world.cases).items():
        assert reported[name]["value"] == pytest.approx(value, abs=1e-6), name


def test_what_is_shown(world: SimpleNamespace) -> None:
    reported = world.report["rows"][0]["metrics"]
    lists = [case.shown[:10] for case in world.cases]
    shown = Counter(item for items in lists for item in items)
    catalogue = range(2, world.items)
    assert reported["Coverage@10"]["value"] == pytest.approx(len(shown) / len(catalogue), abs=1e-6)
    times = [shown[item] for item in catalogue]
    differences = np.abs(np.subtract.outer(times, times)).sum()
    # The mean difference of all pairs over twice the mean, and over n - 1, so that 1 can be reached.
    gini = differences / (2 * len(times) * sum(times)) * len(times) / (len(times) - 1)
    assert reported["Gini@10"]["value"] == pytest.approx(gini, abs=1e-6)
    users = len(set().union(*world.owners.values()))
    bits = [
        sum(-math.log2(max(1, len(world.owners.get(item, ()))) / users) for item in items) / len(items)
        for items in lists
    ]
    assert reported["Novelty@10"]["value"] == pytest.approx(sum(bits) / len(bits), abs=1e-6)
    vectors = read_texts(world.examples, Schema.read(world.examples), Progress(disable=True)).astype(float)
    likeness = []
    for items in lists:
        pairs = [float(vectors[one] @ vectors[other]) for one, other in combinations(items, 2)]
        assert all(np.linalg.norm(vectors[item]) > 0.99 for item in items)
        likeness.append(sum(pairs) / len(pairs))
    # The vectors are float32, so is what the project sums them up in.
    assert reported["Similarity@10"]["value"] == pytest.approx(sum(likeness) / len(likeness), abs=1e-6)


def test_slices(world: SimpleNamespace) -> None:
    total, before, band = sum(world.counts.values()), 0, {}
    for item in sorted(range(2, world.items), key=lambda item: (-world.counts[item], item)):
        band[item] = "head" if before < 0.2 * total else "tail" if before >= 0.8 * total else "torso"
        band[item] = band[item] if world.counts[item] else "unseen items"
        before += world.counts[item]
    lengths = {"history 1-5": (1, 5), "history 6-20": (6, 20), "history 21-100": (21, 100)}
    groups: dict[str, list[SimpleNamespace]] = {}
    for case in world.cases:
        names = [band[case.target], "seen items" if world.counts[case.target] else ""]
        names += [name for name, (least, most) in lengths.items() if least <= len(case.history) <= most]
        names += ["history 101+"] if len(case.history) > 100 else []
        for name in filter(None, names):
            groups.setdefault(name, []).append(case)
    slices = world.report["rows"][0]["slices"]
    assert slices.keys() == groups.keys()
    for name, cases in groups.items():
        assert world.report["slices"][name] == {"cases": len(cases), "targets": len(cases)}
        for metric, value in _ranking(cases).items():
            assert slices[name][metric]["value"] == pytest.approx(value, abs=1e-6), (name, metric)


def test_the_index(world: SimpleNamespace) -> None:
    shares = []
    for case in world.cases:
        allowed = [item for item in range(2, world.items) if item not in case.history]
        best = sorted(allowed, key=lambda item: -case.exact[item - 2])[:10]
        shares.append(len(set(best) & set(case.retrieved[:10])) / 10)
    reported = world.report["serving"]["Tandem"]
    assert reported["users"] == len(world.cases)
    assert reported["index"]["ANN recall@10"]["value"] == pytest.approx(sum(shares) / len(shares), abs=1e-6)
    assert reported["index"].keys() == {"ANN recall@10"}  # the lists of this model end before 100
    latency = reported["latency"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"]


def test_popularity_and_calibration(world: SimpleNamespace) -> None:
    exposure = world.report["exposure"]
    for share in ("catalogue", "wanted"):
        assert sum(each[share] for each in exposure.values()) == pytest.approx(1)
    assert sum(each["shown"]["Tandem"] for each in exposure.values()) == pytest.approx(1)
    ratings = sorted((case.rating, case.label) for case in world.cases)
    bins = world.report["rows"][0]["calibration"]
    assert [each["count"] for each in bins] == [len(each) for each in np.array_split(ratings, 10)]
    means = [np.mean(part, axis=0) for part in np.array_split(np.array(ratings), 10)]
    np.testing.assert_allclose([each["predicted"] for each in bins], [mean[0] for mean in means], atol=1e-6)
    assert np.average(
        [each["observed"]["value"] for each in bins], weights=[each["count"] for each in bins]
    ) == (pytest.approx(np.mean([case.label for case in world.cases]), abs=1e-6))
