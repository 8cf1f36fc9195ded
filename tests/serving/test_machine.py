import subprocess
import sys

PROGRAM = """
import resource, sys, threading
import numpy as np
from serving import machine

def work():
    arrays = [np.ones(2**19, np.float32) for _ in range(4)]

def count():
    work()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        work()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

if "keep" in sys.argv:
    machine.keep_freed_memory()
thread = threading.Thread(target=count)
thread.start()
thread.join()
"""


def _faults(*arguments: str) -> int:
    """Pages that a thread had to fill while it used and freed the same 8 MiB 50 times, in a fresh process."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_a_thread_uses_freed_memory_again():
    assert _faults("keep") < _faults() / 10
