"""Versions that come and go leave nothing behind."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from serving.models.manager import ModelManager, Watch
from serving.models.runs import Run
from serving.models.saved_model import LoadedModel
from serving.models.servables import State
from serving.monitoring.events import Events
from serving.settings.model_configs import ModelConfig

RELOADS = 200
LEAST_LEAK_MIB = 0.1  # for each version: one that is not closed costs 1.8 MiB
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.fixture
def manager(tmp_path):
    manager = ModelManager([ModelConfig("m", str(tmp_path))], LoadedModel, Watch(0), Events())
    yield manager
    manager.close()


def test_reloads_leak_nothing(manager, tiny_tandem, publish, tmp_path, eventually):
    """A quarter of the reloads comes first, since allocators and thread pools only reach their size then."""
    publish(tiny_tandem, tmp_path, 1)
    manager.start()
    model = manager._models["m"]

    def reload(version) -> None:
        publish(tiny_tandem, tmp_path, version)
        model.refresh()
        with model.acquire() as servable:
            assert servable.version == version
            signature = servable.model.signature("describe")
            servable.model.run_signature(signature, {"item_id": np.array([b"50"], object)}, None, Run())
        eventually(lambda: model.statuses()[1].state == State.END, "the old version is freed")

    settled = RELOADS // 4
    for version in range(2, settled):
        reload(version)
    gc.collect()
    before, files, running = resident_mib(), open_files(), threads()
    for version in range(settled, RELOADS):
        reload(version)
    gc.collect()
    assert open_files() <= files
    assert threads() <= running
    assert resident_mib() - before < (RELOADS - settled) * LEAST_LEAK_MIB
