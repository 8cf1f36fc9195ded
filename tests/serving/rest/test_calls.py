"""Calls answered without a connection, for what none of them shows."""

import pytest

from serving.errors import Code, ServingError
from serving.rest import calls, paths

BODIES = {
    "typed:predict": b'{"inputs": 1}',
    "examples:regress": b'{"examples": [{"x": 1.0}]}',
    "examples:classify": b'{"signature_name": "classify_x_to_y", "examples": [{"x": 1.0}]}',
}


@pytest.mark.parametrize("target", BODIES)
def test_a_graph_does_not_begin_to_run_after_the_timeout(manager, target):
    call = paths.parse("POST", f"/v1/models/{target}")
    assert calls.answer(manager, call, BODIES[target], timeout_s=60)
    with pytest.raises(ServingError) as caught:
        calls.answer(manager, call, BODIES[target], timeout_s=0)
    assert caught.value.code == Code.DEADLINE_EXCEEDED
