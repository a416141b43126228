"""What is said inside LabelBench's own process: lines on standard error, each once."""

from __future__ import annotations

import sys

_said: set[str] = set()


def say(line: str) -> None:
    """Write a line to standard error, unless it was written before."""
    if line not in _said:
        _said.add(line)
        sys.stderr.write(f"labelbench-direct: {line}\n")
