"""How popular what is shown is, by hand."""

import numpy as np
import pytest

from pipelines.evaluation.exposure import Exposure, exposure


def test_shares_of_head_torso_tail_and_unseen_items() -> None:
    counts = np.array([0, 0, 50, 90, 40, 20, 0])  # 200: the head is 3, the tail 5, and 6 was never seen
    found = exposure(
        counts,
        wanted=np.array([3, 3, 2, 6]),
        shown={
            "all of it": np.array([[2, 3, 4, 5, 6]]),
            "head": np.array([[3, 0], [3, 0]]),
            "nothing": np.zeros((1, 2), int),
        },
    )
    assert found == {
        "head": Exposure(1 / 5, 0.5, {"all of it": pytest.approx(0.2), "head": 1.0}),
        "torso": Exposure(2 / 5, 0.25, {"all of it": pytest.approx(0.4), "head": 0.0}),
        "tail": Exposure(1 / 5, 0.0, {"all of it": pytest.approx(0.2), "head": 0.0}),
        "unseen": Exposure(1 / 5, 0.25, {"all of it": pytest.approx(0.2), "head": 0.0}),
    }
