"""The arguments of ``labelbench-direct annotate``."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from labelbench_direct.annotate import labelstudio, server
from labelbench_direct.annotate.files import UNKNOWN
from labelbench_direct.annotate.ledger import Decide
from labelbench_direct.annotate.settings import Settings
from labelbench_direct.core.direct import Schedule

DESCRIPTION = """\
Collect labels from people. JOB is a file that holds all that was asked and answered; every answer is on disk before
the command that takes it returns, and any number of processes may ask and tell at once.

examples:
  labelbench-direct annotate start --scores scores.npy --items items.csv --classes classes.txt --budget 500 JOB.db
  labelbench-direct annotate ask --count 20 --output batch.csv JOB.db   # fill in the column label; ? is "cannot tell"
  labelbench-direct annotate tell --labels batch.csv JOB.db
  labelbench-direct annotate status JOB.db
  labelbench-direct annotate export --output labels.csv JOB.db
  labelbench-direct annotate retrain --scores new.npy JOB.db
"""
Add = Callable[..., argparse.Action]


def start(add: Add) -> None:
    """Of ``start``."""
    default = Settings((), 0, 1)
    add("--scores", type=Path, metavar="FILE", help="softmax scores, a row for each item: .npy, .npz, .csv "
        "or .parquet; without them a random batch comes first")  # fmt: skip
    add("--items", type=Path, metavar="CSV", help="a row for each item; the column id, item or else the first names it")
    add("--classes", type=Path, metavar="FILE", required=True, help="the classes, one a line, as the scores' columns")
    add("--labels", type=Path, metavar="CSV", help="labels that are known already: columns item and label")
    add("--budget", type=int, required=True, help="items to label before the network is trained again")
    add("--parallel", type=int, default=default.parallel, help="annotators at work at once (default: %(default)s)")
    add("--seed", type=int, default=default.seed, help="of every random choice (default: %(default)s)")
    add("--redundancy", type=int, default=default.redundancy, metavar="R",
        help="how many annotators are asked for an item (default: %(default)s)")  # fmt: skip
    add("--decide", choices=get_args(Decide), default=default.decide,
        help="whose answer wins; ties to the class with fewer labels (default: %(default)s)")  # fmt: skip
    add("--recheck", type=float, default=default.recheck, metavar="SHARE",
        help="share of the budget for second opinions on doubtful labels (default: none)")  # fmt: skip
    add("--lease", type=float, default=default.lease_minutes, metavar="MINUTES", dest="lease_minutes",
        help="after so long without an answer somebody else is asked (default: %(default)g)")  # fmt: skip
    add("--schedule", choices=get_args(Schedule), default=default.schedule, help="search one class after the other, as "
        "in the paper, or all side by side, for more annotators (default: %(default)s)")  # fmt: skip
    add("--stratify", metavar="COLUMN", help="without scores: this column's values take turns in the first batch")


def _who(add: Add) -> None:
    add("--annotator", metavar="NAME", default=_user(), help="who (default: %(default)s)")


def ask(add: Add) -> None:
    """Of ``ask``."""
    _who(add)
    add("--count", type=int, default=1, help="how many (default: %(default)s)")
    add("--output", type=Path, metavar="FILE", help="write a table there whose column label waits to be filled in")
    add("--format", choices=("csv", "label-studio"), default="csv", help="label-studio: its tasks as JSON")


def tell(add: Add) -> None:
    """Of ``tell``."""
    _who(add)
    add("--item", help="an item, with its --label")
    add("--label", metavar="CLASS", help=f"a class, or {UNKNOWN} for 'cannot tell'")
    add("--labels", type=Path, metavar="FILE",
        help="CSV with the columns item, label and, if there are several, annotator; or a .json that Label Studio "
        "exported")  # fmt: skip


def cannot_tell(add: Add) -> None:
    """Of ``cannot-tell``."""
    _who(add)
    add("items", nargs="+", metavar="ITEM")


def release(add: Add) -> None:
    """Of ``release``."""
    _who(add)
    add("items", nargs="*", metavar="ITEM", help="default: all that the annotator holds")


def correct(add: Add) -> None:
    """Of ``correct``."""
    _who(add)
    add("item")
    add("label", help=f"a class, or {UNKNOWN} to take the item out")


def status(add: Add) -> None:
    """Of ``status``."""
    add("--suspicious", action="store_true", help="list the labels that contradict a confident threshold instead")


def export(add: Add) -> None:
    """Of ``export``."""
    add("--output", type=Path, metavar="FILE", help="default: print them")
    add("--answers", action="store_true", help="every answer ever given instead, with annotator and time")
    add("--format", choices=("csv", "label-studio"), default="csv", help="label-studio: annotated tasks as JSON")


def retrain(add: Add) -> None:
    """Of ``retrain``."""
    add("--scores", type=Path, metavar="FILE", required=True, help="of the network trained on the labels so far")
    add("--budget", type=int, help="items to label in this round (default: as at the start)")


def serve(add: Add) -> None:
    """Of ``serve``."""
    add("--host", default="127.0.0.1", help="default: %(default)s, which this machine alone reaches")
    add("--port", type=int, default=8090, help="default: %(default)s; 0 takes a free one")
    add(
        "--label-studio",
        metavar="URL",
        help=f"a running Label Studio; its access token is read from {server.STUDIO_KEY}",
    )
    add("--project", type=int, metavar="ID", help="its project")


def labeling_config(add: Add) -> None:
    """Of ``labeling-config``."""
    add("--column", required=True, help="the items' column that is shown")
    add("--kind", choices=labelstudio.KINDS, default=labelstudio.KINDS[0], help="what is in it (default: %(default)s)")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "me"
