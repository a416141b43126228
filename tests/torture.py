"""Kill a sweep at random moments, start it again, and see that it ends with the bytes of one that nobody killed.
 ``make torture`` kills the real command 100 times, sometimes with its workers and sometimes alone. With ``--forked`` a
process that only runs the trials is killed instead: many more kills a minute, for the tests.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from sweeps import SMALL, results

from labelbench_direct.experiment.trial import Settings, run_trial


def start_command(folder, rng):
    """The command that a user starts. Returns how to wait for it and how to kill it."""
    stated = {name: getattr(SMALL, name) for name in SMALL.__dataclass_fields__}
    experiment = folder.with_suffix(".json")
    experiment.write_text(json.dumps(stated))
    command = [sys.executable, "-m", "labelbench_direct.cli", "compare", "--experiment", str(experiment)]
    process = subprocess.Popen([*command, "--output", str(folder)], start_new_session=True, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip

    def wait(seconds):
        try:
            error = process.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            return False
        if process.returncode:
            raise SystemExit(f"the command failed by itself, with {process.returncode}: {error}")
        return True

    def kill():
        if rng.random() < 0.5:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    return wait, kill


def start_forked(folder, rng):
    """A process that runs the trials one after the other."""
    process = multiprocessing.get_context("fork").Process(target=_run_all, args=(folder,))
    process.start()

    def wait(seconds):
        process.join(seconds)
        if process.exitcode:
            raise SystemExit("the trials failed by themselves")
        return process.exitcode == 0

    def kill():
        process.kill()
        process.join()

    return wait, kill


def _run_all(folder):
    for trial in SMALL.trials():
        outcome = run_trial(trial, folder, Settings())
        if outcome.status != "finished":
            raise SystemExit(f"{outcome}: nobody else is at work here")


def torture(kills, start, folder, rng, share):
    """Run until so many kills are spent, each within a share of a whole sweep's time; yields after each sweep."""
    began = time.monotonic()
    (folder / "whole").mkdir()
    start(folder / "whole", rng)[0](None)
    longest = share * (time.monotonic() - began)
    expected = results(folder / "whole")
    if len(expected) != 3 * len(SMALL.trials()):
        raise SystemExit(f"the sweep that nobody killed is not whole: {len(expected)} files")
    killed, sweeps = 0, 0
    while killed < kills:
        sweeps += 1
        target = folder / f"sweep{sweeps}"
        target.mkdir()
        while True:
            wait, kill = start(target, rng)
            if wait(rng.uniform(0, longest) if killed < kills else None):
                break
            kill()
            killed += 1
        if results(target) != expected:
            raise SystemExit(f"after {killed} kills {target} differs from {folder / 'whole'}")
        yield killed, sweeps


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--forked", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parsed = parser.parse_args()
    torch.set_num_threads(1)  # before the fork
    with tempfile.TemporaryDirectory() as folder:
        start = start_forked if parsed.forked else start_command
        share = 0.2 if parsed.forked else 1.0  # a command spends most of its time with starting
        for killed, sweeps in torture(parsed.kills, start, Path(folder), random.Random(parsed.seed), share):
            print(f"{killed} kills, {sweeps} sweep(s) ended with the same bytes", flush=True)


if __name__ == "__main__":
    main()
