"""When ports are taken, opened and refused."""

import socket
from concurrent import futures

import pytest

from serving.errors import ServingError

DEADLINE = 60


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def test_only_one_server_listens_at_a_port(serve, half_plus_two, publish, tmp_path):
    publish(half_plus_two, tmp_path, 1)
    port = serve(tmp_path).port
    with pytest.raises(ServingError, match=f"cannot listen at 0.0.0.0:{port}"):
        serve(tmp_path, port=port)


def test_servers_may_share_a_port_where_that_is_asked_for(serve, half_plus_two, publish, tmp_path):
    publish(half_plus_two, tmp_path, 1)
    shared = {"grpc_channel_arguments": "grpc.so_reuseport=1"}
    port = serve(tmp_path, **shared).port
    assert serve(tmp_path, port=port, **shared).port == port


def test_a_port_opens_only_when_the_models_are_there(
    serve, half_plus_two, publish, tmp_path, eventually, caplog
):
    caplog.set_level("WARNING")
    port, rest_port = unused_port(), unused_port()
    with futures.ThreadPoolExecutor(1) as pool:
        starting = pool.submit(serve, tmp_path, port=port, rest_api_port=rest_port)
        eventually(lambda: "Waiting for a version" in caplog.text, "it waits for a model")
        for each in (port, rest_port):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("localhost", each), timeout=DEADLINE)
        publish(half_plus_two, tmp_path, 1)
        server = starting.result(timeout=DEADLINE)
    assert (server.port, server.rest_port) == (port, rest_port)
    for each in (port, rest_port):
        socket.create_connection(("localhost", each), timeout=DEADLINE).close()


def test_a_port_that_is_taken_is_told_before_models_are_waited_for(serve, half_plus_two, publish, tmp_path):
    publish(half_plus_two, tmp_path, 1)
    port = serve(tmp_path).port
    with pytest.raises(ServingError, match=f"cannot listen at 0.0.0.0:{port}"):
        serve(tmp_path / "never there", port=port)


def test_of_two_that_start_at_one_port_only_one_serves(
    serve, half_plus_two, publish, tmp_path, eventually, caplog
):
    caplog.set_level("WARNING")
    port = unused_port()
    folders = tmp_path / "first", tmp_path / "second"
    with futures.ThreadPoolExecutor(2) as pool:
        starting = [pool.submit(serve, folder, port=port) for folder in folders]
        for folder in folders:
            eventually(lambda folder=folder: f"base path {folder}" in caplog.text, "it waits for a model")
        for folder in folders:
            folder.mkdir()
            publish(half_plus_two, folder, 1)
        failures = [each.exception(timeout=DEADLINE) for each in starting]
    [failure] = filter(None, failures)
    assert f"cannot listen at 0.0.0.0:{port}" in str(failure)


def test_rest_at_the_port_of_grpc_is_left_out(serve, half_plus_two, publish, tmp_path, caplog):
    publish(half_plus_two, tmp_path, 1)
    port = unused_port()
    server = serve(tmp_path, port=port, rest_api_port=port)
    assert (server.port, server.rest_port) == (port, 0)
    assert "http_port cannot be same as grpc_port" in caplog.text
