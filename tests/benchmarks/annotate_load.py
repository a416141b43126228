"""Many annotators on one job, and kill -9 among them: how fast asking and telling is, and whether anything gets lost.

    python tests/benchmarks/annotate_load.py                    # 50 annotators, 10,000 answers, 20 kills
    python tests/benchmarks/annotate_load.py --annotators 8 --answers 400 --kills 3

Every annotator is a process of its own: it asks for an item, thinks, tells, and notes in a file of its own what was
acknowledged. Killed ones start again under their name. At the end every acknowledged answer must be in the job as it
was given, no item may have been answered twice, and the round must have as many labels as it was to have. Exit status 1
otherwise.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from labelbench_direct.annotate.files import Answer
from labelbench_direct.annotate.job import Job
from labelbench_direct.annotate.scores import Reference
from labelbench_direct.annotate.settings import Settings

FORK = multiprocessing.get_context("fork")  # the libraries are loaded once
WAIT = 0.05  # before asking again when there was nothing to ask


def make_job(folder: Path, parsed: argparse.Namespace) -> Path:
    """A job on a pool with rare classes."""
    rng = np.random.default_rng(0)
    classes = parsed.classes
    truth = rng.choice(classes, parsed.examples, p=(weights := 0.7 ** np.arange(classes)) / weights.sum())
    logits = rng.normal(0, 1.5, (parsed.examples, classes))
    logits[np.arange(parsed.examples), truth] += 3
    scores = np.exp(logits - logits.max(axis=1, keepdims=True)).astype(np.float32)
    scores /= scores.sum(axis=1, keepdims=True)
    np.save(folder / "scores.npy", scores)
    np.save(folder / "truth.npy", truth)
    settings = Settings(
        classes=[f"class {k}" for k in range(classes)],
        num_items=parsed.examples,
        budget=parsed.answers,
        parallel=parsed.annotators,
        scores=None if parsed.first_batch else vars(Reference.to(folder / "scores.npy", folder)),
    )
    Job.start(folder / "job.db", settings).close()
    return folder / "job.db"


def annotate(path: Path, name: str, think: float) -> None:
    """One annotator, until the round is done. A line of its file: ask's seconds, tell's seconds, item, label."""
    truth = np.load(path.parent / "truth.npy")
    rng = np.random.default_rng([os.getpid(), time.time_ns()])
    notes = os.open(path.parent / f"{name}.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with closing(Job(path)) as job:
        while True:
            before = time.perf_counter()
            items = job.ask(name)
            asked = time.perf_counter() - before
            if not items:
                with job.reading() as state:
                    if state.round.session().done:
                        return
                time.sleep(WAIT)
                continue
            time.sleep(rng.exponential(think))
            label = f"class {truth[int(items[0])]}"
            before = time.perf_counter()
            job.tell([Answer(name, items[0], label)])
            told = time.perf_counter() - before
            os.write(notes, f"{asked:.6f}\t{told:.6f}\t{items[0]}\t{label}\n".encode())


def run(path: Path, parsed: argparse.Namespace) -> tuple[float, int]:
    """All annotators until they are done, some killed in between; the seconds, and how many were killed."""
    rng = np.random.default_rng(1)
    names = [f"annotator {number}" for number in range(parsed.annotators)]

    def start(name: str) -> multiprocessing.process.BaseProcess:
        process = FORK.Process(target=annotate, args=(path, name, parsed.think))
        process.start()
        return process

    started = time.perf_counter()
    at_work = {name: start(name) for name in names}
    kills = 0
    while any(process.is_alive() for process in at_work.values()):
        time.sleep(0.2)
        answered = sum(len(read_notes(file)) for file in path.parent.glob("annotator*.txt"))
        if kills < parsed.kills and answered >= parsed.answers * (kills + 1) / (parsed.kills + 1):
            victim = rng.choice([name for name in names if at_work[name].is_alive()])
            os.kill(at_work[victim].pid, signal.SIGKILL)
            at_work[victim].join()
            at_work[victim] = start(victim)
            kills += 1
    failed = [name for name, process in at_work.items() if process.exitcode]
    if failed:
        sys.exit(f"{len(failed)} annotators ended with an error, among them {failed[0]}")
    return time.perf_counter() - started, kills


def read_notes(file: Path) -> list[list[str]]:
    """The lines of an annotator's file; a last one that was being written when it was killed is left out."""
    return [line.split("\t") for line in file.read_text().split("\n")[:-1]]


def check(path: Path, notes: dict[str, list[list[str]]], budget: int) -> list[str]:
    """What is wrong."""
    with closing(Job(path)) as job, job.reading() as state:
        kept = {(who, state.items.ids[index]): state.settings.classes[label]
                for _, who, index, label, _ in state.answers}  # fmt: skip
        labels = len(state.ledger.labels())
        twice = [index for index, item in state.ledger.items.items() if len(item.answers) > 1]
        repeated = len(state.answers) - len(kept)
    acknowledged = {(name, item): label for name, lines in notes.items() for _, _, item, label in lines}
    lost = [key for key, label in acknowledged.items() if kept.get(key) != label]
    wrong = []
    if lost:
        wrong.append(f"{len(lost)} acknowledged answers are lost, among them {lost[0]}")
    if twice or repeated:
        wrong.append(f"{len(twice) + repeated} items were answered twice")
    if labels != budget:
        wrong.append(f"there are {labels} labels, not {budget}")
    return wrong


def report(notes: dict[str, list[list[str]]], seconds: float, kills: int, path: Path) -> None:
    """Print the figures."""
    times = np.array([[float(ask), float(tell)] for lines in notes.values() for ask, tell, _, _ in lines])
    print(f"{len(times):,} acknowledged answers of {len(notes)} annotators in {seconds:.1f} s: "
          f"{len(times) / seconds:.0f} a second; {kills} kills")  # fmt: skip
    for name, column in zip(("ask", "tell"), times.T, strict=True):
        half, most, worst = np.percentile(column, [50, 99, 100]) * 1000
        print(f"{name}: median {half:.1f} ms, 99th percentile {most:.0f} ms, longest {worst:.0f} ms")
    before = time.perf_counter()
    with closing(Job(path)) as job:
        opened = time.perf_counter() - before
        with job.reading() as state:
            state.round.session()
            print(f"opening the job: {opened:.2f} s for {state.seq:,} events, "
                  f"and the session after {time.perf_counter() - before:.2f} s")  # fmt: skip


def main() -> int:
    """Run; the exit status is 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotators", type=int, default=50)
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--think", type=float, default=0.05, help="mean seconds from ask to tell (default: 0.05)")
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--first-batch", action="store_true", help="without scores: the file and the books alone")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = make_job(Path(folder), parsed)
        seconds, kills = run(path, parsed)
        notes = {file.stem: read_notes(file) for file in sorted(path.parent.glob("annotator*.txt"))}
        report(notes, seconds, kills, path)
        wrong = check(path, notes, parsed.answers)
    print("\n".join(wrong) or "every acknowledged answer is there; no item was answered twice")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
