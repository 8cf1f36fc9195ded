"""The health check of the image, asked as the image asks it."""

import subprocess
import sys

import pytest


@pytest.fixture
def ask():
    def run(target: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "serving.deploy.health", target]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_a_server_that_answers_is_healthy_and_one_that_stopped_is_not(
    serve, half_plus_two, publish, tmp_path, ask
):
    publish(half_plus_two, tmp_path, 1)
    server = serve(tmp_path)
    target = f"localhost:{server.port}"
    assert ask(target).returncode == 0
    server.stop(grace=0)
    stopped = ask(target)
    assert stopped.returncode == 1
    assert stopped.stderr.startswith(f"{target}: UNAVAILABLE: ")
