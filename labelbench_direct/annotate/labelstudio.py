"""Label Studio's JSON, both ways: tasks out, annotations in; and its labeling interface.

Label Studio's documentation of its formats: "Import pre-annotated data", "Export annotations", "Webhook events".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from labelbench_direct.annotate.files import Answer
from labelbench_direct.annotate.state import State

ITEM = "labelbench_direct_item"
"""The key of a task's data that says which item it is."""
KINDS = ("Text", "Image", "Audio", "Video")
"""What Label Studio can show. HyperText is not among them: it would run what is in the items."""
_CHOICES, _OBJECT = "label", "object"


def labeling_config(classes: Sequence[str], column: str, kind: str) -> str:
    """The interface: the items' ``column``, shown as ``kind``, and a button for each class. Skip is "cannot tell"."""
    choices = "".join(f"<Choice value={quoteattr(name)}/>" for name in classes)
    return (
        f"<View><{kind} name={quoteattr(_OBJECT)} value={quoteattr('$' + column)}/>"
        f'<Choices name="{_CHOICES}" toName="{_OBJECT}" choice="single" required="true">{choices}</Choices></View>'
    )


def task(state: State, item: str) -> dict[str, Any]:
    """An item as a task."""
    return {"data": {**state.record(item)["data"], ITEM: item}}


def export(state: State) -> list[dict[str, Any]]:
    """Every labeled item as a task with its label as an annotation, as Label Studio imports it."""
    return [
        task(state, state.items.ids[index]) | {"annotations": [annotation(state.settings.classes[label])]}
        for index, label in sorted(state.ledger.labels().items())
    ]


def annotation(label: str) -> dict[str, Any]:
    """A class as an annotation."""
    value = {"choices": [label]}
    return {"result": [{"from_name": _CHOICES, "to_name": _OBJECT, "type": "choices", "value": value}]}


def read_export(path: Path) -> list[Answer]:
    """The answers in an export of Label Studio's, ``JSON``. Raises ValueError where it is something else."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        tasks = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(tasks, list):
        raise ValueError(f"{path} must hold a list of tasks: export from Label Studio as JSON, not JSON-MIN")
    return answers_of(tasks)


def answers_of(tasks: Iterable[Any], leave_out: Callable[[ValueError], None] | None = None) -> list[Answer]:
    """What the annotations of tasks say; of several by one person on one task, the last. Others' tasks are left out.

    Raises ValueError for annotations that say nothing; with ``leave_out`` they are left out, and it is told why.
    """
    answers: dict[tuple[str, str], Answer] = {}
    for one in tasks:
        if not isinstance(one, Mapping) or not isinstance(one.get("annotations"), list):
            raise ValueError("a task without the list 'annotations': export from Label Studio as JSON, not JSON-MIN")
        for said in sorted(one["annotations"], key=_updated):
            try:
                answer = answer_of(one, said)
            except ValueError as error:
                if leave_out is None:
                    raise
                leave_out(error)
                continue
            if answer is not None:
                answers[answer.annotator, answer.item] = answer
    return list(answers.values())


def item_of(task: Any) -> str | None:
    """Which item a task is; None where it is none of a job's."""
    data = task.get("data") if isinstance(task, Mapping) else None
    item = data.get(ITEM) if isinstance(data, Mapping) else None
    return item if isinstance(item, str) else None


def answer_of(task: Any, annotation: Any) -> Answer | None:
    """What an annotation says; None where the task is none of a job's. Skipped is "cannot tell".

    Raises ValueError for an annotation that does not choose exactly one class.
    """
    item = item_of(task)
    if item is None:
        return None
    if not isinstance(annotation, Mapping):
        raise ValueError(f"the annotation of item {item!r} is no object")
    annotator = f"studio-{_user(annotation)}"
    if annotation.get("was_cancelled"):
        return Answer(annotator, item, None)
    chosen = [choice for result in _list(annotation.get("result")) for choice in _choices(result)]
    if len(chosen) != 1 or not isinstance(chosen[0], str):
        raise ValueError(f"the annotation of item {item!r} must choose one class, it chooses {len(chosen)}")
    return Answer(annotator, item, chosen[0])


def _choices(result: Any) -> list[Any]:
    if (
        not isinstance(result, Mapping)
        or result.get("type") != "choices"
        or not isinstance(result.get("value"), Mapping)
    ):
        return []
    return _list(result["value"].get("choices"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _user(annotation: Mapping[str, Any]) -> int:
    """Who it is by: Label Studio gives a number, or in some exports an object with it."""
    user = annotation.get("completed_by")
    number = user.get("id") if isinstance(user, Mapping) else user
    if not isinstance(number, int):
        raise ValueError(f"an annotation must say by 'completed_by' whose it is, got {str(user)[:100]!r}")
    return number


def _updated(annotation: Any) -> str:
    return str(annotation.get("updated_at", "")) if isinstance(annotation, Mapping) else ""
