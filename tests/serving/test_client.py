import inspect
import threading

import numpy as np
import pytest

from serving.client import Client
from serving.errors import Code, ServingError
from serving.predictor import Predictor
from serving.recommendations import Recommendation, describe, recommend
from serving.saved_model import LoadedModel


@pytest.fixture(scope="module")
def client(serve, tiny_tandem, publish, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("base")
    publish(tiny_tandem, base_path, 1)
    with Client(f"localhost:{serve(base_path).port}", timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def other(serve, half_plus_two, publish, tmp_path_factory):
    """A client of a model that is not Tandem's."""
    base_path = tmp_path_factory.mktemp("base")
    publish(half_plus_two, base_path, 1)
    with Client(f"localhost:{serve(base_path).port}", timeout=60) as client:
        yield client


@pytest.fixture
def free_port(serve, half_plus_two, publish, tmp_path):
    """A port at which a server was, and is no more."""
    publish(half_plus_two, tmp_path, 1)
    server = serve(tmp_path)
    server.stop(grace=0)
    return server.port


@pytest.mark.parametrize("kind", [Client, LoadedModel])
def test_both_predictors_have_the_protocols_shape(kind):
    wanted = inspect.signature(Predictor.predict).parameters
    assert list(inspect.signature(kind.predict).parameters) == list(wanted)


def test_client_and_loaded_model_give_the_same(client, tiny_tandem):
    inputs = {"user_id": ["196", ""], "history": [[""], ["50"]], "exclude": np.empty((2, 0), object)}
    model = LoadedModel(tiny_tandem)
    over_grpc, in_process = (each.predict("serving_default", inputs) for each in (client, model))
    model.close()
    assert over_grpc.keys() == in_process.keys() == {"item_id", "score", "because"}
    for name, array in over_grpc.items():
        assert array.dtype == in_process[name].dtype
        np.testing.assert_array_equal(array, in_process[name])


def test_recommends_with_titles_and_reasons(client):
    first, second = client.recommend(history=["181"], exclude=["258"], k=2)
    assert first == Recommendation("50", "Star Wars (1977)", 5.0, "181", "Return of the Jedi (1983)")
    assert (second.item_id, second.score) == ("100", 2.0)


def test_the_stored_history_counts_when_none_is_given(client):
    assert {each.because for each in client.recommend("196")} == {"258"}


def test_an_unknown_user_and_unknown_items_are_no_error(client):
    assert [each.because for each in client.recommend("nobody", ["99999"], k=3)] == ["", "", ""]


def test_the_answer_ends_early_when_nothing_remains(client):
    assert [each.item_id for each in client.recommend(exclude=["50", "181", "258", "100"])] == ["286"]
    assert client.recommend(exclude=["50", "181", "258", "100", "286"]) == []


def test_titles_of_known_items_only(client):
    assert describe(client, ["286", "99999", "286"]) == {"286": "[REC] Amélie"}
    assert describe(client, []) == {}


def test_a_model_without_titles_still_recommends(tiny_tandem):
    model = LoadedModel(tiny_tandem)

    class Untitled:
        def predict(self, signature, inputs, outputs=None):
            return model.predict("nope" if signature == "describe" else signature, inputs, outputs)

    assert describe(Untitled(), ["50"]) is None
    assert recommend(Untitled(), k=1) == [Recommendation("50", "", 5.0, "", "")]
    model.close()


@pytest.mark.parametrize("arguments", [{"k": 0}, {"user_id": "\udcff"}, {"history": ["\udcff"]}])
def test_impossible_requests_are_refused_before_they_are_sent(arguments):
    with pytest.raises(ServingError):
        Client("nowhere:1").recommend(**arguments)


def test_errors_are_in_the_servers_words(other):
    with pytest.raises(ServingError, match='FAILED_PRECONDITION: Serving signature key "nope"') as caught:
        other.predict("nope", {})
    assert caught.value.code == Code.FAILED_PRECONDITION
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: input size does not match signature: 3!=1"):
        other.recommend("196")


def test_no_server_says_how_to_start_one(free_port):
    with (
        Client(f"localhost:{free_port}") as client,
        pytest.raises(
            ServingError, match=f"no server at localhost:{free_port}; start one with `tandem serve"
        ),
    ):
        client.recommend("196")


def test_a_deadline_is_kept(serve, gate, publish, tmp_path):
    publish(gate, tmp_path, 1)
    target = f"localhost:{serve(tmp_path).port}"
    with (
        Client(target, timeout=0.5) as client,
        pytest.raises(ServingError, match=f"{target} did not answer within 0.5 s"),
    ):
        client.predict("", {"file": str(tmp_path / "open")})
    (tmp_path / "open").touch()


def test_a_call_is_tried_again_while_the_server_comes_up(serve, half_plus_two, tmp_path, free_port):
    """The client calls first and the server starts while it retries."""
    with Client(f"localhost:{free_port}", timeout=60) as client:
        answers = []

        def call():
            while not answers:
                try:
                    answers.append(client.predict("", {"x": [2.0]})["y"].tolist())
                except ServingError as error:
                    assert error.code == Code.UNAVAILABLE  # the machine is slow: five tries were not enough

        caller = threading.Thread(target=call)
        caller.start()
        serve(tmp_path, port=free_port)
        caller.join()
    assert answers == [[3.0]]


def test_waiting_ends_when_the_server_is_there(serve, tmp_path, free_port):
    with Client(f"localhost:{free_port}") as client:
        waiting = threading.Thread(target=client.wait_until_ready, args=(60,))
        waiting.start()
        serve(tmp_path, port=free_port)
        waiting.join()
        client.predict("", {"x": [2.0]})


def test_waiting_for_no_server_ends_at_the_deadline(free_port):
    with (
        Client(f"localhost:{free_port}") as client,
        pytest.raises(ServingError, match=f"no server at localhost:{free_port}"),
    ):
        client.wait_until_ready(0.5)


def test_waiting_for_an_unknown_model_ends_at_once(client):
    with (
        Client(client.target, "other") as other,
        pytest.raises(ServingError, match="NOT_FOUND: Could not find any versions of model other"),
    ):
        other.wait_until_ready(3600)
