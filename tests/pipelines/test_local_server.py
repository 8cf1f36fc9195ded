"""A server for as long as a block lasts, and no longer than the process that started it."""

import contextlib
import socket
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from pipelines.local_server import local_server
from preprocessing.schema import InputError
from serving.client import Client

DEADLINE_S = 60.0
"""Only a fault reaches it."""

PARENT = """
import sys
from pathlib import Path
from pipelines.local_server import local_server
with local_server(Path(sys.argv[1]), Path(sys.argv[2])) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


class Zero(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
    def zero(self, x):
        return {"y": 0 * x}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder, module = tmp_path_factory.mktemp("zero"), Zero()
    tf.saved_model.save(module, str(folder / "1"), signatures={"serving_default": module.zero})
    return folder


def _connect(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), timeout=DEADLINE_S)


def _wait_until_refused(address: str) -> None:
    """Waits until nobody listens there, by reading until the other side is gone.

    A process that ends closes its connections before its listening sockets or after them.
    """
    end = time.monotonic() + DEADLINE_S
    with contextlib.suppress(ConnectionRefusedError):
        while time.monotonic() < end:
            with _connect(address) as connection, contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass
        pytest.fail(f"{address} is still listened at")


def test_it_answers_within_the_block_alone(model, tmp_path):
    with local_server(model, tmp_path / "log") as address, Client(address) as client:
        assert [version.number for version in client.versions()] == [1]
    with pytest.raises(ConnectionRefusedError):
        _connect(address)
    assert "Draining" in (tmp_path / "log").read_text()


def test_a_server_that_does_not_start_tells_what_its_log_ends_with(model, tmp_path):
    (model.parent / "broken" / "1").mkdir(parents=True)
    (model.parent / "broken" / "1" / "saved_model.pb").write_bytes(b"\x00 no graph \xff")
    with (
        pytest.raises(InputError, match=r"ended before it was ready; .*log ends with:\n.+"),
        local_server(model.parent / "broken", tmp_path / "log"),
    ):
        pass


def test_killing_the_process_that_started_it_ends_it(model, tmp_path):
    command = [sys.executable, "-c", PARENT, str(model), str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        address = parent.stdout.readline().strip()
        with _connect(address):
            parent.kill()
    _wait_until_refused(address)


def test_it_ends_with_its_parent_before_it_is_ready_too(tmp_path):
    # A folder without a version is waited for: without the parent's end it would never be ready.
    command = [sys.executable, "-m", "pipelines.attached_server", "--port=0", f"--model_base_path={tmp_path}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.close()
        assert process.wait(DEADLINE_S) == 1
