"""Time the report of a thousand trials; the exit status is 1 where it takes a minute or more."""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from test_report import copy_trials, make_trial

from labelbench_direct.report.write import write_report


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "many"
        copy_trials(make_trial(Path(folder) / "one", "direct", 0, 0.9, rounds=10), many, 1000)
        started = time.perf_counter()
        write_report([many], Path(folder) / "report")
        seconds = time.perf_counter() - started
    print(f"1,000 trials: {seconds:.1f} s")
    return int(seconds >= 60)


if __name__ == "__main__":
    sys.exit(main())
