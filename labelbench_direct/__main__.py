"""The command ``labelbench-direct``, and ``python -m labelbench_direct``: people who annotate don't wait for torch."""

import importlib
import sys


def main() -> int:
    """Run the command with the program's arguments."""
    annotates = sys.argv[1:2] == ["annotate"]
    module = importlib.import_module("labelbench_direct.annotate.cli" if annotates else "labelbench_direct.cli")
    return int(module.main())


if __name__ == "__main__":
    sys.exit(main())
