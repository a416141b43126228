"""The command ``labelbench-direct annotate``."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labelbench_direct.annotate import arguments, labelstudio, server
from labelbench_direct.annotate.files import UNKNOWN, Answer, Items, read_answers, read_classes, write_csv
from labelbench_direct.annotate.job import Job
from labelbench_direct.annotate.scores import Reference, count_rows
from labelbench_direct.annotate.settings import Settings
from labelbench_direct.annotate.state import State
from labelbench_direct.annotate.status import answer_rows, label_rows, status, suspicious
from labelbench_direct.annotate.studio import Loop, Studio
from labelbench_direct.annotate.words import in_words
from labelbench_direct.console import patient_output

Run = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``labelbench-direct annotate`` without loading the rest of the package, which takes seconds."""
    parser = argparse.ArgumentParser(prog="labelbench-direct")
    add_annotate(parser.add_subparsers(required=True, metavar="command"))
    with patient_output():
        return guarded(parser.parse_args(arguments))


def guarded(parsed: argparse.Namespace) -> int:
    """Run a command; its exit status is 2 for arguments that cannot be used, 1 where something has failed."""
    try:
        return int(parsed.command(parsed))
    except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
        _warn(str(error))
        return 2
    except RuntimeError as error:
        _warn(str(error))
        return 1
    except MemoryError as error:
        _warn(f"there is not enough memory for this {error}".strip())
        return 1
    except KeyboardInterrupt:
        _warn("interrupted; what was finished is kept")
        return 130


def add_annotate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of ``labelbench-direct``."""
    parser = commands.add_parser(
        "annotate",
        help="collect labels from people, in parallel, in a file that survives anything",
        description=arguments.DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(required=True, metavar="action")
    for name, (run, add_arguments, text) in _actions().items():
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        action.set_defaults(command=run)
        action.add_argument("job", type=Path, metavar="JOB", help="the job's file")
        add_arguments(action.add_argument)
        action.add_argument("--json", action="store_true", help="print JSON, for machines")


def _actions() -> dict[str, tuple[Run, Callable[[arguments.Add], None], str]]:
    return {
        "start": (_start, arguments.start, "start a job"),
        "ask": (_ask, arguments.ask, "hand out items to label: those that the annotator holds already come first"),
        "tell": (_tell, arguments.tell, "take answers"),
        "cannot-tell": (_cannot_tell, arguments.cannot_tell, "say that items cannot be told: others take their place"),
        "release": (_release, arguments.release, "give back items without an answer, so that somebody else is asked"),
        "correct": (_correct, arguments.correct, "decide what an item is, whatever was answered"),
        "status": (_status, arguments.status, "tell where the job stands and what the next labels may bring"),
        "export": (_export, arguments.export, "write the labels"),
        "retrain": (_retrain, arguments.retrain, "begin the next round, on new scores"),
        "serve": (_serve, arguments.serve, "answer HTTP requests, and keep a Label Studio project in work"),
        "labeling-config": (_labeling_config, arguments.labeling_config, "print a labeling interface for Label Studio"),
    }


@contextmanager
def _opened(path: Path) -> Iterator[Job]:
    with closing(Job(path)) as job:
        yield job


def _say(parsed: argparse.Namespace, data: Any, text: str) -> int:
    print(json.dumps(data, ensure_ascii=False) if parsed.json else text)
    return 0


def _start(parsed: argparse.Namespace) -> int:
    folder, classes = parsed.job.resolve().parent, read_classes(parsed.classes)
    items = _read_items(parsed, classes)
    given = {answer.item: answer.label for answer in read_answers(parsed.labels, "start")} if parsed.labels else {}
    numbers = {name: number for number, name in enumerate(items.ids)}
    for item, label in given.items():
        if item not in numbers or label not in classes:
            what, name = ("item", item) if item not in numbers else ("class", label)
            raise ValueError(f"{parsed.labels}: there is no {what} {name!r} in this job")
    settings = Settings(
        classes=classes,
        num_items=len(items.ids),
        items=asdict(Reference.to(parsed.items, folder)) if parsed.items else None,
        scores=asdict(Reference.to(parsed.scores, folder)) if parsed.scores else None,
        labeled=[numbers[item] for item in given],
        labels=[classes.index(str(label)) for label in given.values()],
        **{name: getattr(parsed, name) for name in _PLAIN},
    )
    with closing(Job.start(parsed.job, settings)):
        text = f"{parsed.job}: {len(items.ids):,} items, {len(classes)} classes, {parsed.budget:,} labels in a round."
        return _say(parsed, {"job": str(parsed.job), "items": len(items.ids), "classes": classes}, text)


_PLAIN = ("budget", "parallel", "seed", "redundancy", "decide", "recheck", "lease_minutes", "stratify", "schedule")


def _read_items(parsed: argparse.Namespace, classes: Sequence[str]) -> Items:
    if parsed.items:
        return Items.read(parsed.items)
    if not parsed.scores:
        raise ValueError("a job needs --items or --scores, or both: nothing says what there is to label")
    return Items.numbered(count_rows(parsed.scores, classes))


def _ask(parsed: argparse.Namespace) -> int:
    with _opened(parsed.job) as job:
        items = job.ask(parsed.annotator, parsed.count)
        with job.reading() as state:
            if parsed.format == "label-studio":
                text = json.dumps([labelstudio.task(state, item) for item in items], ensure_ascii=False, indent=1)
            else:
                header = ["item", "label", *(name for name in state.items.columns if name not in ("item", "label"))]
                text = write_csv(header, [[item, "", *_cells(state, item)] for item in items])
            data = {"annotator": parsed.annotator, "items": [state.record(item) for item in items]}
            waiting = "" if items else _why_nothing(state)
    if waiting:
        _warn(waiting)
    return _deliver(parsed, data, text, f"{len(items)} items to label: {parsed.output}")


def _cells(state: State, item: str) -> list[str]:
    return [cell for name, cell in state.record(item)["data"].items() if name not in ("item", "label")]


def _why_nothing(state: State) -> str:
    if state.round.session().done and not state.ledger.open:
        return "nothing to ask: this round is done; go on with annotate retrain, or take the labels by annotate export"
    return "nothing to ask now: the answers that decide what comes next are still out; see annotate status"


def _deliver(parsed: argparse.Namespace, data: Any, text: str, written: str) -> int:
    """Print a table, or write it where the user wants it."""
    if not parsed.output:
        return _say(parsed, data, text.rstrip("\n"))
    parsed.output.write_text(text, encoding="utf-8")
    return _say(parsed, data, written)


def _tell(parsed: argparse.Namespace) -> int:
    is_single = parsed.item is not None and parsed.label is not None
    if is_single == (parsed.labels is not None) or (parsed.item is None) != (parsed.label is None):
        raise ValueError("tell --item ITEM --label CLASS, or --labels FILE")
    with _opened(parsed.job) as job:
        change = False
        if parsed.labels is None:
            answers = [Answer(parsed.annotator, parsed.item, None if parsed.label == UNKNOWN else parsed.label)]
        elif parsed.labels.suffix == ".json":
            answers, change = labelstudio.read_export(parsed.labels), True
        else:
            answers = read_answers(parsed.labels, parsed.annotator)
        return _receipt(parsed, job, answers, change)


def _receipt(parsed: argparse.Namespace, job: Job, answers: Sequence[Answer], change: bool = False) -> int:
    receipt = job.tell(answers, change)
    text = f"{receipt.new} answers kept"
    if receipt.repeated:
        text += f", {receipt.repeated} were known"
    if receipt.spare:
        text += f"; {receipt.spare} came after the item had been decided and have no say"
    return _say(parsed, asdict(receipt), text + ".")


def _cannot_tell(parsed: argparse.Namespace) -> int:
    with _opened(parsed.job) as job:
        return _receipt(parsed, job, [Answer(parsed.annotator, item, None) for item in parsed.items])


def _release(parsed: argparse.Namespace) -> int:
    with _opened(parsed.job) as job:
        count = job.release(parsed.annotator, parsed.items or None)
        return _say(parsed, {"released": count}, f"{count} items given back.")


def _correct(parsed: argparse.Namespace) -> int:
    with _opened(parsed.job) as job:
        job.correct(parsed.annotator, parsed.item, None if parsed.label == UNKNOWN else parsed.label)
        return _say(parsed, {"item": parsed.item, "label": parsed.label}, f"{parsed.item} is {parsed.label}.")


def _status(parsed: argparse.Namespace) -> int:
    with _opened(parsed.job) as job, job.reading() as state:
        if not parsed.suspicious:
            data = status(state)
            return _say(parsed, data, in_words(data))
        found = suspicious(state)
        table = write_csv(["item", "label", "reason", "strength"], [list(one.values()) for one in found])
        return _say(parsed, found, table.rstrip("\n"))


def _export(parsed: argparse.Namespace) -> int:
    with _opened(parsed.job) as job, job.reading() as state:
        header, rows = answer_rows(state) if parsed.answers else label_rows(state)
        text = write_csv(header, rows)
        if parsed.format == "label-studio":
            text = json.dumps(labelstudio.export(state), ensure_ascii=False, indent=1)
    data = [dict(zip(header, row, strict=True)) for row in rows]
    return _deliver(parsed, data, text, f"{len(rows)} rows: {parsed.output}")


def _retrain(parsed: argparse.Namespace) -> int:
    with _opened(parsed.job) as job:
        job.retrain(parsed.scores, parsed.budget)
        with job.reading() as state:
            data = {"round": state.round_number, "budget": state.round_budget}
        return _say(parsed, data, f"Round {data['round']} begins: {data['budget']} labels.")


def _labeling_config(parsed: argparse.Namespace) -> int:
    with _opened(parsed.job) as job, job.reading() as state:
        state.items.column(parsed.column)
        config = labelstudio.labeling_config(state.settings.classes, parsed.column, parsed.kind)
        return _say(parsed, {"label_config": config}, config)


def _serve(parsed: argparse.Namespace) -> int:
    if (parsed.label_studio is None) != (parsed.project is None):
        raise ValueError("--label-studio and --project go together")
    token = os.environ.get(server.TOKEN) or secrets.token_urlsafe(24)
    with _opened(parsed.job) as job:
        loop = studio = None
        if parsed.label_studio:
            studio = Studio(parsed.label_studio, _studio_key(), parsed.project)
            loop = Loop(job, studio, _warn)
        with server.Server((parsed.host, parsed.port), job, token, loop) as http:
            url = f"http://{parsed.host}:{http.server_address[1]}"
            made = "" if server.TOKEN in os.environ else f" with the token {token}"
            _say(parsed, {"url": url, "token": token}, f"{parsed.job} is served at {url}{made}; Ctrl+C ends it.")
            sys.stdout.flush()
            if studio is not None and loop is not None:
                studio.send_events_to(f"{url}/webhook", token)
                loop.start()
            http.serve_forever()
    return 0


def _warn(text: str) -> None:
    print(f"labelbench-direct: {text}", file=sys.stderr)


def _studio_key() -> str:
    if server.STUDIO_KEY not in os.environ:
        raise ValueError(f"put Label Studio's access token into the environment variable {server.STUDIO_KEY}")
    return os.environ[server.STUDIO_KEY]
