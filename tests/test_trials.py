"""Trials that survive: what is on disk, going on after any interruption, sharing a folder, refusing foreign files."""

import errno
import json
import os
import pickle
import resource
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from sweeps import SMALL, results, wait_for_end

import labelbench_direct.experiment.trial as trial_module
from labelbench_direct.experiment import leases, local, locks
from labelbench_direct.experiment.leases import Lease, LeaseLostError
from labelbench_direct.experiment.local import LocalEngine
from labelbench_direct.experiment.storage import append_line, cut_half_line, read_lines, write_whole
from labelbench_direct.experiment.sweep import run_sweep
from labelbench_direct.experiment.trial import Settings, run_trial
from labelbench_direct.report.page import write_bytes, write_text

TRIAL = SMALL.trials()[0]


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The folder of the small sweep, run by itself in this process without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    for trial in SMALL.trials():
        assert run_trial(trial, folder, Settings()).status == "finished"
    return folder


def test_a_round_on_disk_holds_what_going_on_needs(whole):
    lines = read_lines(whole / TRIAL.identifier / "rounds.jsonl")
    assert [line["round"] for line in lines] == [1, 2, 3, 4, 5]
    assert [line["last"] for line in lines] == [False, False, False, False, True]
    header = json.loads((whole / TRIAL.identifier / "trial.json").read_text())
    assert header["strategy"] == {"strategy_name": "direct", "B1": 5}
    assert set(header["versions"]) == {"labelbench_direct", "python", "numpy", "torch", "scikit-learn"}
    pool = json.loads((whole / TRIAL.identifier / "pool.json").read_text())
    assert sum(pool["class_counts"]) == pool["examples"]
    for line in lines:
        assert len(line["indices"]) == len(line["labels"]) == 12
        assert len(line["class_accuracies"]) == 3
        assert line["metrics"]["Balanced Test Accuracy"] == pytest.approx(np.mean(line["class_accuracies"]))
        assert line["random_state"]["bit_generator"] == "PCG64"
    assert lines[0]["selection"] is None
    seen = lines[-1]["selection"]["classes"]["0"]
    assert 0 <= seen["threshold"] <= pool["examples"]
    assert len(seen["asked"][0]) == 12
    assert len(seen["known"][0]) == 48
    assert all(0 <= low <= high <= pool["examples"] for low, high in seen["version_spaces"])
    assert not list(whole.glob("*/lease*")), "a finished trial leaves no lease"
    assert len(read_lines(whole / TRIAL.identifier / "times.jsonl")) == 5


def test_trials_of_a_seed_are_paired(whole):
    trials = {(one.strategy["strategy_name"], one.seed): one for one in SMALL.trials()}
    read = {key: read_lines(whole / one.identifier / "rounds.jsonl") for key, one in trials.items()}
    for seed in (0, 1):
        direct, margin = read["direct", seed], read["margin", seed]
        assert direct[0]["indices"] == margin[0]["indices"]
        assert direct[0]["metrics"] == margin[0]["metrics"]
        assert direct[1]["indices"] != margin[1]["indices"]
        given = [dict(zip(line["indices"], line["labels"], strict=True)) for line in direct + margin]
        for one in given:
            for other in given:
                assert all(one[index] == other[index] for index in one.keys() & other.keys())
    assert read["direct", 0][0]["indices"] != read["direct", 1][0]["indices"]


@pytest.mark.parametrize("rounds_kept", [0, 1, 3])
@pytest.mark.parametrize("half_line", [b"", b'{"round":4,"la'])
def test_going_on_equals_never_having_stopped(whole, tmp_path, rounds_kept, half_line):
    for trial in SMALL.trials()[:3]:
        source, target = whole / trial.identifier, tmp_path / trial.identifier
        target.mkdir()
        (target / "trial.json").write_bytes((source / "trial.json").read_bytes())
        kept = b"".join((source / "rounds.jsonl").read_bytes().splitlines(keepends=True)[:rounds_kept])
        (target / "rounds.jsonl").write_bytes(kept + half_line)
        outcome = run_trial(trial, tmp_path, Settings())
        assert outcome.status == "finished"
        assert any("half-written" in note for note in outcome.notes) == bool(half_line), "said aloud"
        for name in ("rounds.jsonl", "pool.json", "trial.json"):
            assert (target / name).read_bytes() == (source / name).read_bytes()


def test_finished_trials_are_left_alone(whole, monkeypatch):
    monkeypatch.setattr(trial_module, "make_bench", lambda *_: pytest.fail("ran again"))
    before = results(whole)
    assert run_trial(TRIAL, whole, Settings()).status == "finished"
    assert results(whole) == before


def started(tmp_path, whole, **changes):
    """A trial of one round in a folder, its header changed."""
    target = tmp_path / TRIAL.identifier
    target.mkdir()
    header = json.loads((whole / TRIAL.identifier / "trial.json").read_text())
    (target / "trial.json").write_text(json.dumps({**header, **changes}))
    first = (whole / TRIAL.identifier / "rounds.jsonl").read_bytes().splitlines(keepends=True)[0]
    (target / "rounds.jsonl").write_bytes(first)
    return target


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 7}, "was edited: .* another configuration .seed differs."),
        ({"versions": {"labelbench_direct": "0.0.1"}}, "begun with other versions .*labelbench_direct 0.0.1, now"),
        ({"versions": None}, "trial.json is damaged"),
    ],
)
def test_what_is_not_this_trials_is_refused_and_kept(tmp_path, whole, changes, message):
    target = started(tmp_path, whole, **changes)
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    with pytest.raises(ValueError, match=message):
        run_trial(TRIAL, tmp_path, Settings())
    after = {path.name: path.read_bytes() for path in target.iterdir() if not path.name.startswith("lease")}
    assert after == before


def test_damaged_lines_and_headers_are_refused_and_kept(tmp_path, whole):
    target = started(tmp_path, whole)
    good = (target / "rounds.jsonl").read_bytes()
    (target / "rounds.jsonl").write_bytes(b"{broken}\n" + good)
    with pytest.raises(ValueError, match=r"rounds.jsonl, line 1 is damaged"):
        run_trial(TRIAL, tmp_path, Settings())
    (target / "rounds.jsonl").write_bytes(good)
    (target / "trial.json").unlink()
    with pytest.raises(ValueError, match=r"has results but no trial.json"):
        run_trial(TRIAL, tmp_path, Settings())
    assert (target / "rounds.jsonl").read_bytes() == good


def test_a_full_disk_is_an_error_and_nothing_is_half_written(tmp_path):
    path = tmp_path / "rounds.jsonl"
    append_line(path, {"round": 1})
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # writes the first 1,000 bytes, then refuses
        with pytest.raises(OSError, match=r"what was finished before is whole.*rounds.jsonl"):
            append_line(path, {"round": 2, "indices": list(range(1000))})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before


def test_a_full_disk_names_every_file(tmp_path, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"could not write \(No space left on device\): make room.*pool.json"):
            write_whole(tmp_path / "pool.json", {})
    for write in (partial(write_text, text="x" * 2000), partial(write_bytes, content=bytes(2000))):
        (tmp_path / "full").unlink(missing_ok=True)
        (tmp_path / "full").symlink_to("/dev/full")
        with pytest.raises(OSError, match=r"could not write \(No space left on device\): make room.*full"):
            write(tmp_path / "full")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable for root")
def test_an_unwritable_folder_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        run_trial(TRIAL, tmp_path, Settings())


def test_lines_and_whole_files(tmp_path):
    path = tmp_path / "lines"
    assert read_lines(path) == []
    assert cut_half_line(path) == 0
    append_line(path, {"a": 1})
    path.write_bytes(path.read_bytes() + b'{"a"')
    assert read_lines(path) == [{"a": 1}]
    assert cut_half_line(path) == 4
    append_line(path, {"a": 2})
    assert read_lines(path) == [{"a": 1}, {"a": 2}]
    write_whole(path, {"b": 3})
    assert json.loads(path.read_text()) == {"b": 3}
    assert [one.name for one in tmp_path.iterdir()] == ["lines"]


def test_not_a_number_is_written_as_null():
    assert trial_module._number(float("nan")) is None
    assert trial_module._number(np.float64("inf")) is None
    assert trial_module._number(np.int64(3)) == 3


def test_models_are_kept_on_request(tmp_path):
    run_trial(replace(TRIAL, rounds=2), tmp_path, Settings(keep_models=True))
    models = sorted(tmp_path.glob("*/models/*"))
    assert [path.name for path in models] == ["round-001.pt", "round-002.pt"]
    assert torch.load(models[0], weights_only=True).keys() == torch.load(models[1], weights_only=True).keys()
    (tmp_path / "full" / TRIAL.identifier / "models").mkdir(parents=True)
    (tmp_path / "full" / TRIAL.identifier / "models" / "part").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"could not write \(No space left on device\): make room there: .*models/part"):
        run_trial(TRIAL, tmp_path / "full", Settings(keep_models=True))


def make_trial_folder(tmp_path):
    folder = tmp_path / "trial"
    folder.mkdir()
    return folder


def test_a_lease_has_one_owner_and_comes_back(tmp_path):
    folder = make_trial_folder(tmp_path)
    with Lease.acquire(folder) as lease:
        assert leases.is_leased(folder)
        assert Lease.acquire(folder) is None
        lease.check()
    assert not leases.is_leased(folder)
    with Lease.acquire(folder) as second:
        second.check()
        with pytest.raises(LeaseLostError):
            lease.check()


def test_of_many_who_want_a_lease_one_gets_it(tmp_path):
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "lease.1").write_text(json.dumps({"machine": leases._machine()}))
        start, got = threading.Barrier(8), []

        def want(folder=folder, start=start, got=got):
            start.wait()
            lease = Lease.acquire(folder)
            if lease is not None:
                got.append(lease)

        threads = [threading.Thread(target=want) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 1
        got[0].__exit__(None, None, None)


HERE, ELSEWHERE = {"machine": leases._machine(), "pid": os.getpid()}, {"machine": "another", "pid": os.getpid()}


@pytest.mark.parametrize(
    ("text", "age", "alive"),
    [
        (json.dumps(HERE), 0, False),  # another process has that id by now, and the lock is free
        (json.dumps(ELSEWHERE), 0, True),
        (json.dumps(ELSEWHERE), 2 * leases.EXPIRES, False),
        (json.dumps(ELSEWHERE), -2 * leases.EXPIRES, False),  # a clock was set back
        (json.dumps({"machine": None, "pid": 1}), 0, True),  # a file system without locks
        (json.dumps({"host": socket.gethostname(), "pid": 1}), 0, True),  # as version 0.1 wrote it
        ("null", 0, True),
        ("", 0, True),
        ("", 2 * leases.EXPIRES, False),
        (None, 0, True),  # nobody may read it
        (None, 2 * leases.EXPIRES, False),
        ("free", 0, False),
    ],
    ids=lambda value: "lease" if isinstance(value, str) else None,  # a text has this process's id in it
)
def test_a_lease_expires_with_its_owner(tmp_path, monkeypatch, text, age, alive):
    monkeypatch.setattr(leases, "_HEARTBEAT", 0.01)
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("on Windows it ends what it asks about"))
    folder = make_trial_folder(tmp_path)
    if text is None:
        (folder / "lease.4").mkdir()  # not even by root
    else:
        (folder / "lease.4").write_text(text)
    then = time.time() - age
    os.utime(folder / "lease.4", (then, then))
    assert leases.is_leased(folder) == alive
    taken = Lease.acquire(folder)
    assert (taken is None) == alive
    if taken is not None:
        taken.__exit__(None, None, None)
        assert max(path.name for path in folder.iterdir()) == "lease.5"


def test_who_is_killed_gives_the_lease_back_at_once(tmp_path):
    folder = make_trial_folder(tmp_path)
    code = (
        "import sys, time; from pathlib import Path; from labelbench_direct.experiment.leases import Lease\n"
        "lease = Lease.acquire(Path(sys.argv[1])); print(flush=True); time.sleep(600)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as owner:
        owner.stdout.readline()
        assert Lease.acquire(folder) is None
        owner.kill()
    taken = Lease.acquire(folder)
    assert taken is not None
    taken.__exit__(None, None, None)


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_jumps_costs_no_owner_its_trial(tmp_path, monkeypatch, jump):
    monkeypatch.setattr(leases, "_HEARTBEAT", 1)
    folder = make_trial_folder(tmp_path)
    with Lease.acquire(folder) as lease:
        beat = time.time() - jump
        os.utime(folder / "lease.1", (beat, beat))
        assert Lease.acquire(folder) is None
        lease.check()


def test_a_suspended_owner_is_replaced_and_finds_it_out(tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "_HEARTBEAT", 100)
    folder = make_trial_folder(tmp_path)
    with Lease.acquire(folder) as lease:
        monkeypatch.setattr(leases, "_HEARTBEAT", 0.01)
        os.utime(folder / "lease.1", (1, 1))
        with Lease.acquire(folder) as second:
            second.check()
            with pytest.raises(LeaseLostError):
                lease.check()


def test_where_files_cannot_be_locked_the_heartbeat_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_try_lock", lambda *_, **__: os.open(tmp_path / "absent", os.O_RDONLY))
    folder = make_trial_folder(tmp_path)
    lease = Lease.acquire(folder)
    assert json.loads((folder / "lease.1").read_text())["machine"] is None
    assert leases.is_leased(folder)
    lease.__exit__(None, None, None)
    assert not leases.is_leased(folder)


def test_a_lease_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    folder = make_trial_folder(tmp_path)

    def write(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match=r"could not write \(No space left on device\): '.*lease\.1'"):
        Lease.acquire(folder)
    assert not list(folder.iterdir())


def test_a_heartbeat_keeps_a_lease(tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "_HEARTBEAT", 0.05)
    folder = make_trial_folder(tmp_path)
    with Lease.acquire(folder):
        os.utime(folder / "lease.1", (1, 1))
        time.sleep(0.3)
        assert (folder / "lease.1").stat().st_mtime > 1


def test_who_lost_a_lease_writes_nothing(tmp_path, monkeypatch):
    folder = tmp_path / TRIAL.identifier

    def stolen(*arguments):
        (folder / "lease.99").write_text("{}")
        return bench(*arguments)

    bench = trial_module.make_bench
    monkeypatch.setattr(trial_module, "make_bench", stolen)
    with pytest.raises(LeaseLostError, match="another runner took this trial over"):
        run_trial(TRIAL, tmp_path, Settings())
    assert not (folder / "rounds.jsonl").exists()


def test_two_runners_share_a_folder(whole, tmp_path):
    """Each in threads of its own process; every round is there once, and equals the undisturbed one."""
    sweeps = [LocalEngine(tmp_path, Settings(), workers=1) for _ in range(2)]
    threads = [threading.Thread(target=lambda engine=engine: list(run_sweep(SMALL.trials(), tmp_path, engine)))
               for engine in sweeps]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results(tmp_path) == results(whole)
    for trial in SMALL.trials():
        assert len(read_lines(tmp_path / trial.identifier / "times.jsonl")) == 5, "no round was run twice"


def test_progress_counts_trials_and_rounds(whole):
    progress = list(run_sweep(SMALL.trials(), whole, LocalEngine(whole, Settings(), workers=1)))[-1]
    assert (progress.trials, progress.done, progress.running) == (6, 6, 0)
    assert progress.rounds == progress.all_rounds == 30


class FakeEngine:
    """Answers with what it is given, trial by trial."""

    capacity = 1

    def __init__(self, answers):
        self.answers, self.submitted, self.closed = list(answers), [], False

    def submit(self, trial):
        self.submitted.append(trial)

    def wait(self, seconds):
        from labelbench_direct.experiment.sweep import Result

        return [Result(self.submitted[-1], self.answers.pop(0))]

    def close(self):
        self.closed = True


def test_a_failed_trial_does_not_stop_the_others(tmp_path):
    from labelbench_direct.experiment.sweep import WorkerLostError
    from labelbench_direct.experiment.trial import Outcome

    trials = SMALL.trials()[:2]
    finished = Outcome("x", "finished", ("a note",))
    engine = FakeEngine([ValueError("loss is not a number"), WorkerLostError(), finished])
    said = []
    with pytest.raises(RuntimeError, match="1 of 2 trials failed"):
        said.extend(note for progress in run_sweep(trials, tmp_path, engine) for note in progress.notes)
    engine = FakeEngine([ValueError("loss is not a number"), WorkerLostError(), finished])
    notes = []
    try:
        for progress in run_sweep(trials, tmp_path, engine):
            notes += progress.notes
    except RuntimeError:
        pass
    assert "failed: ValueError: loss is not a number" in notes[0]
    assert "goes on from its last finished round" in notes[1]
    assert notes[2] == "a note"
    assert engine.closed
    assert engine.submitted == [trials[0], trials[1], trials[1]]


def test_a_process_that_is_lost_again_and_again_is_given_up(tmp_path):
    from labelbench_direct.experiment.sweep import WorkerLostError

    engine = FakeEngine([WorkerLostError()] * 3)
    with pytest.raises(RuntimeError, match="1 of 1 trials failed"):
        list(run_sweep(SMALL.trials()[:1], tmp_path, engine))


def test_a_disk_error_stops_the_sweep(tmp_path):
    engine = FakeEngine([OSError("no space left")])
    with pytest.raises(OSError, match="no space left"):
        list(run_sweep(SMALL.trials(), tmp_path, engine))
    assert engine.closed


def test_a_killed_worker_costs_its_own_trial_an_attempt_and_no_other(whole, tmp_path):
    """One of two is killed; the sweep says so once and ends with the same bytes."""
    engine = LocalEngine(tmp_path, Settings(), workers=2)
    trials, notes, killed = SMALL.trials()[:2], [], False
    for progress in run_sweep(trials, tmp_path, engine):
        notes += progress.notes
        if engine._workers and not killed:
            engine._workers[0].process.kill()  # while it still imports what it needs
            killed = True
    assert notes == [f"{trials[0].identifier}: its process was lost; it goes on from its last finished round"]
    names = {trial.identifier for trial in trials}
    expected = {name: content for name, content in results(whole).items() if name.split("/")[0] in names}
    assert results(tmp_path) == expected


def test_what_a_trial_raises_arrives_whatever_it_is(tmp_path, monkeypatch):
    class OwnError(Exception):
        """Of a class that cannot be pickled."""

    errors = {OwnError("of its own"): "OwnError: of its own", ValueError("bad"): "bad", SystemExit(3): "3"}
    for error, text in errors.items():
        monkeypatch.setattr(local, "run_trial", lambda *_, error=error: (_ for _ in ()).throw(error))
        arrived = pickle.loads(pickle.dumps(local._attempt(TRIAL, tmp_path, Settings())))
        assert type(arrived) is (RuntimeError if isinstance(error, OwnError) else type(error))
        assert str(arrived) == text


def test_a_runner_that_forgets_to_close_ends_with_its_script(tmp_path):
    code = (
        "import sys; from pathlib import Path; from sweeps import SMALL\n"
        "from labelbench_direct.experiment.local import LocalEngine\n"
        "from labelbench_direct.experiment.trial import Settings\n"
        "LocalEngine(Path(sys.argv[1]), Settings(), workers=1).submit(SMALL.trials()[0])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(command, env=environment, timeout=120, check=False).returncode == 0


RUNNER = """
import os, signal, sys, time
from dataclasses import replace
from pathlib import Path
from sweeps import SMALL
from labelbench_direct.experiment.local import LocalEngine
from labelbench_direct.experiment.trial import Settings
folder = Path(sys.argv[1])
engine = LocalEngine(folder, Settings(), workers=1)
engine.submit(replace(SMALL, trainer={"name": "passive", "steps": 10**8}).trials()[0])
while not any(path.stat().st_size for path in folder.glob("*/lease.1")):
    time.sleep(0.1)
if os.fork() == 0:
    while not (folder / "over").exists():
        time.sleep(0.1)
    os._exit(0)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_worker_ends_with_its_runner_whoever_holds_the_runners_files(tmp_path):
    """In the middle of training; a process that the runner forked lives on with its end of every pipe."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        subprocess.run([sys.executable, "-W", "ignore", "-c", RUNNER, str(tmp_path)], env=environment, check=False)
        (lease,) = tmp_path.glob("*/lease.1")
        assert wait_for_end(json.loads(lease.read_text())["pid"])
        assert not leases.is_leased(lease.parent)
    finally:
        (tmp_path / "over").touch()


def test_kill_9_at_random_moments_changes_no_byte():
    """The short version of `make torture`: the trials' own process, killed ten times."""
    command = [sys.executable, str(Path(__file__).with_name("torture.py")), "--forked", "--kills", "10"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("10 kills, ")
