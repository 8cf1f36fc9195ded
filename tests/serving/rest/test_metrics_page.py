"""The page of metrics beside the REST API."""

import requests

from serving.errors import Code
from serving.monitoring.events import LoadDone

DEADLINE = 60
METRICS = "/monitoring/prometheus/metrics"


def samples(page: str) -> dict[str, float]:
    lines = (line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def test_the_page_counts_what_the_server_answers(serve_rest, manage, typed):
    manager = manage(typed=typed)
    _, url = serve_rest(manager)
    manager.start()
    manager.events.tell(LoadDone("typed", 7, "/typed/7", Code.OK, 1))
    for body, verb in (('{"inputs": 1}', "predict"), ("{", "predict"), ("{", "nothing")):
        requests.post(f"{url}/v1/models/typed:{verb}", body, timeout=DEADLINE)
    requests.get(f"{url}/v1/models/typed", timeout=DEADLINE)
    page = requests.get(url + METRICS, timeout=DEADLINE)
    assert page.headers["Content-Type"] == "text/plain; charset=utf-8"
    found = samples(page.text)
    count = ":tensorflow:serving:request_count"
    assert found[f'{count}{{model_name="typed",status="OK"}}'] == 2
    assert found[f'{count}{{model_name="typed",status="INVALID_ARGUMENT"}}'] == 1
    assert found[f'{count}{{model_name="",status="INVALID_ARGUMENT"}}'] == 1
    latency = ":tensorflow:serving:request_latency_count"
    assert found[f'{latency}{{model_name="typed",API="predict",entrypoint="REST"}}'] == 1
    assert found[f'{latency}{{model_name="typed",API="",entrypoint="REST"}}'] == 1


def test_the_page_is_at_its_path_alone(url, serve_rest, manager):
    response = requests.get(f"{url}{METRICS}?x=1", timeout=DEADLINE)
    assert response.status_code == 400
    assert response.text == f"Unexpected path: {METRICS}?x=1. Should be {METRICS}"
    _, without = serve_rest(manager, prometheus_path=None)
    assert requests.get(without + METRICS, timeout=DEADLINE).status_code == 404
