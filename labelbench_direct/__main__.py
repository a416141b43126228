"""The command ``labelbench-direct``, and ``python -m labelbench_direct``: people who annotate don't wait for torch."""

import sys


def main() -> int:
    """Run the command with the program's arguments."""
    if sys.argv[1:2] == ["annotate"]:
        from labelbench_direct.annotate.cli import main as run
    else:
        from labelbench_direct.cli import main as run
    return run()


if __name__ == "__main__":
    sys.exit(main())
