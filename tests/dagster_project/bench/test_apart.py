"""What a bench does apart: a process of its own, and nothing of it is left behind."""

import os
import subprocess
import sys

import psutil
import pytest

from dagster_project.bench.apart import apart

MEASURES_A_STEP_APART = """
from dagster_project.bench.apart import apart
apart(apart, exec, "import time; print('measuring', flush=True); time.sleep(600)")
"""


def test_it_is_another_process_and_what_it_raises_is_raised_here():
    assert apart(os.getpid) != os.getpid()
    with pytest.raises(ValueError, match="invalid literal"):
        apart(int, "seven")


def test_of_a_bench_that_is_killed_nothing_measures_on():
    bench = subprocess.Popen([sys.executable, "-c", MEASURES_A_STEP_APART], stdout=subprocess.PIPE, text=True)
    assert bench.stdout is not None
    with bench.stdout as said:
        assert said.readline() == "measuring\n"
        children = psutil.Process(bench.pid).children(recursive=True)
        bench.kill()
        bench.wait()
        gone, alive = psutil.wait_procs(children, timeout=20)
        for orphan in alive:
            orphan.kill()
    assert gone
    assert not alive
