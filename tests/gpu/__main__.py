"""Does on a GPU what its user wants, and fast? One table, in at most six minutes, without a network.

    python tests/gpu --output gpu-results

Every check runs in a process of its own, within its own time, and one that fails does not stop the next. Exit status:
0 when nothing falls short, 1 when something does, 2 when the checks cannot start. docs/gpu.md has the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "benchmarks"), str(TESTS.parent)]

MINUTES = 6
CHECKS = {
    "warm_up": 60, "train": 90, "scores": 40, "memory": 40, "trial": 30, "speed": 100, "round": 60, "labelbench": 90,
    "paper": 40,
}  # fmt: skip
"""Seconds that each may take on a GPU, in the order in which they run."""


@dataclass(frozen=True)
class Row:
    check: str
    what: str
    value: str
    wanted: str
    ok: bool | None


def find(name: str) -> Callable[[Any], Iterator[Any]]:
    """The check of a name: a generator of steps."""
    import fast
    import right
    import whole

    here = {"warm_up": fast.warm_up, "speed": fast.speed, "round": fast.round_}
    here |= {one.__name__: one for one in (right.train, right.scores, right.memory, right.trial)}
    return {**here, "labelbench": whole.labelbench, "paper": whole.paper}[name]


def rows_of(name: str, setting: Any) -> Iterator[Row]:
    """The rows of a check, run here: a step that raises is a row, and so is a check that cannot begin."""
    from setting import MissingError

    try:
        for what, look in find(name)(setting):
            started = time.perf_counter()
            try:
                found = look()
                row = Row(name, what, found.value, found.wanted, found.ok)
            except Exception as error:  # whatever it is, the next step is looked at
                traceback.print_exc()
                row = Row(name, what, f"{type(error).__name__}: {error}", "no error", False)
            print(f"{name}: {what}: {time.perf_counter() - started:.1f} s", flush=True)
            yield row
    except MissingError as error:
        yield Row(name, "", str(error), "", False)
    except Exception as error:
        traceback.print_exc()
        yield Row(name, "", f"{type(error).__name__}: {error}", "no error", False)


def run_here(names: list[str], device: str, rows: Path, profiles: Path, data: Path) -> None:
    """Run checks in this process, and append a line of JSON for each row as soon as it is known."""
    import torch
    from setting import Setting, memory_of, sizes_for

    sizes = sizes_for(device, memory_of(device))
    for name in names:
        with tempfile.TemporaryDirectory() as scratch, rows.open("a") as file:
            for row in rows_of(name, Setting(torch.device(device), sizes, Path(scratch), profiles, data)):
                file.write(json.dumps(asdict(row)) + "\n")
                file.flush()


def run_apart(name: str, arguments: list[str], log: Path, rows: Path, seconds: float) -> Iterator[Row]:
    """Run one check in a process of its own: its rows, and one more if it ended otherwise than by itself."""
    before = len(read(rows))
    command = [sys.executable, str(TESTS / "gpu"), name, "--here", *arguments]
    with log.open("a") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        try:
            status = process.wait(seconds)
            ended = f"ended with status {status}: {log.read_text().strip()[-300:]}" if status else ""
        except subprocess.TimeoutExpired:
            ended = f"stopped after its {seconds:.0f} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it started: a card has room for one check
            process.wait()
    yield from read(rows)[before:]
    if ended:
        yield Row(name, "", ended, "in time, and by itself", False)


def read(rows: Path) -> list[Row]:
    return [Row(**json.loads(line)) for line in rows.read_text().splitlines()] if rows.exists() else []


def run_all(names: list[str], device: str, output: Path, data: Path) -> list[Row]:
    rows, log, profiles = output / "rows.jsonl", output / "log.txt", output / "profiles.txt"
    for file in (rows, log, profiles):
        file.unlink(missing_ok=True)
    arguments = ["--device", device, "--output", str(output), "--data", str(data)]
    patience = 1 if device == "cuda" else 10  # a laptop's processor, beside other work
    end, found = time.monotonic() + patience * 60 * MINUTES - 10, list[Row]()
    for name in names:
        left = min(patience * CHECKS[name], end - time.monotonic())
        started = time.monotonic()
        if left < 5:
            found.append(Row(name, "", f"not run: the {MINUTES} minutes are over", "in time", False))
            continue
        new = list(run_apart(name, arguments, log, rows, left))
        found += new
        short = sum(row.ok is False for row in new)
        print(f"{name}: {len(new)} rows, {short} short, {time.monotonic() - started:.0f} s", flush=True)
    return found


def table(rows: list[Row]) -> str:
    """In Markdown, which is also what a terminal shows."""
    signs = {True: "yes", False: "**NO**", None: ""}
    cells = [[row.check, row.what, row.value, row.wanted, signs[row.ok]] for row in rows]
    lines = [[" ".join(cell.split()).replace("|", "/")[:400] for cell in row] for row in cells]
    head = ["| check | of | found | wanted | holds |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"of {', '.join(CHECKS)}; all by default")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: small sizes, nothing is timed")
    parser.add_argument("--output", type=Path, default=Path("gpu-results"), help="a folder for table, log and profiles")
    parser.add_argument("--data", type=Path, default=Path("data"), help="where CIFAR-10 is, if it is")
    parser.add_argument(
        "--here", action="store_true", help="in this process, without table: what the checks are run by"
    )
    parsed = parser.parse_args()
    if unknown := [name for name in parsed.checks if name not in CHECKS]:
        parser.error(f"there is no check {unknown[0]!r}; there are {', '.join(CHECKS)}")
    if parsed.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        import setting
        import torch
    except ModuleNotFoundError as error:
        print(f"{error.name} is missing: the checks cannot start; docs/gpu.md says what they need", file=sys.stderr)
        return 2
    if parsed.device == "cuda" and not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        print(
            f"no CUDA device: torch {torch.__version__}, {built}, finds none; on the CPU: --device cpu", file=sys.stderr
        )
        return 2
    names, output = parsed.checks or list(CHECKS), parsed.output.resolve()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(TESTS.parent), os.environ.get("PYTHONPATH")]))
    output.mkdir(parents=True, exist_ok=True)
    if parsed.here:
        run_here(names, parsed.device, output / "rows.jsonl", output / "profiles.txt", parsed.data)
        return 0
    about = setting.describe(parsed.device)
    print("\n".join(about), flush=True)
    started = time.monotonic()
    rows = run_all(names, parsed.device, output, parsed.data)
    short = sum(row.ok is False for row in rows)
    seconds = time.monotonic() - started
    ending = f"{len(rows)} rows, {short} fall short; {seconds:.0f} s"
    text = "\n\n".join(["\n".join(about), table(rows), ending])
    (output / "table.md").write_text(text + "\n")
    print(f"\n{table(rows)}\n\n{ending}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
