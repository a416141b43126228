"""Label Studio's JSON against the models of label-studio-sdk, and a round trip with a running Label Studio.

The second needs LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY; it makes a project there and removes it.
"""

import json
import os
import threading
import time
from contextlib import closing

import pytest

from labelbench_direct.annotate import labelstudio
from labelbench_direct.annotate.job import Job
from labelbench_direct.annotate.scores import Reference
from labelbench_direct.annotate.server import Server
from labelbench_direct.annotate.settings import Settings
from labelbench_direct.annotate.studio import Loop, Studio

TOKEN = "a token of the tests"
CLASSES = ["a", 'b & "c"', "<d>"]
CONFIG = labelstudio.labeling_config(CLASSES, "text", "Text")


@pytest.fixture
def job(tmp_path):
    table = tmp_path / "items.csv"
    table.write_text("id,text\n" + "".join(f"i{n},<b>text</b> {n}\n" for n in range(20)))
    settings = Settings(CLASSES, 20, budget=8, parallel=4, items=vars(Reference.to(table, tmp_path)))
    with closing(Job.start(tmp_path / "job.db", settings)) as job:
        yield job


def said(item, label):
    """What Label Studio exports, in the sdk's words."""
    from label_studio_sdk.label_interface.objects import AnnotationValue, TaskValue

    result = labelstudio.annotation(label)["result"] if label else []
    annotation = AnnotationValue(completed_by=3, result=result, was_cancelled=label is None)
    return TaskValue(data={"text": "...", labelstudio.ITEM: item}, annotations=[annotation]).model_dump()


def test_tasks_and_annotations_are_the_sdks(job, tmp_path):
    pytest.importorskip("label_studio_sdk", reason="the extra labelstudio is not installed")
    from label_studio_sdk.label_interface import LabelInterface
    from label_studio_sdk.label_interface.objects import AnnotationValue, TaskValue
    from label_studio_sdk.types import AnnotationRequest

    interface = LabelInterface(CONFIG)
    interface.validate()
    assert [choice for control in interface.controls for choice in control.labels] == CLASSES
    items = job.ask("ann", 4)
    with job.reading() as state:
        tasks = [labelstudio.task(state, item) for item in items]
    assert all(interface.validate_task(TaskValue(**task).model_dump(include={"data"})) for task in tasks)

    labels = [CLASSES[1], CLASSES[2], None, CLASSES[0]]
    path = tmp_path / "export.json"
    path.write_text(json.dumps([said(item, label) for item, label in zip(items, labels, strict=True)]))
    job.tell(labelstudio.read_export(path))
    with job.reading() as state:
        exported = labelstudio.export(state)
        assert {state.items.ids[i]: CLASSES[label] for i, label in state.ledger.labels().items()} == {
            item: label for item, label in zip(items, labels, strict=True) if label
        }
    assert len(exported) == 3
    for task in exported:
        (annotation,) = task["annotations"]
        AnnotationValue(completed_by=1, **annotation)
        AnnotationRequest(**annotation)
        assert interface.validate_annotation(annotation)
    assert not interface.validate_annotation(labelstudio.annotation("no class"))  # it does look


@pytest.fixture
def studio():
    url, key = os.environ.get("LABEL_STUDIO_URL"), os.environ.get("LABEL_STUDIO_API_KEY")
    if not url or not key:
        pytest.skip("LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY name no running Label Studio")
    project = Studio(url, key, 0)._call("/api/projects/", {"title": "labelbench-direct", "label_config": CONFIG})["id"]
    studio = Studio(url, key, project)
    yield studio
    studio._call(f"/api/projects/{project}/", method="DELETE")


def eventually(condition):
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_round_trip_with_a_running_label_studio(job, studio):
    troubles = []
    loop = Loop(job, studio, troubles.append)
    with Server(("127.0.0.1", 0), job, TOKEN, loop) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        studio.send_events_to(f"http://127.0.0.1:{server.server_address[1]}/webhook", TOKEN)
        loop.start()

        def label(task, name):
            body = {"result": [], "was_cancelled": True} if name is None else labelstudio.annotation(name)
            return studio._call(f"/api/tasks/{task['id']}/annotations/", body)["id"]

        def labels():
            with job.reading() as state:
                return dict(state.ledger.labels())

        answered, changed = {}, None
        while len(answered) < 9:  # eight labels, and one that nobody can tell
            (task, *_) = eventually(lambda: [one for one in studio.tasks() if one["id"] not in answered])
            name = None if len(answered) == 2 else CLASSES[len(answered) % 3]
            number = label(task, name)
            answered[task["id"]] = (task["data"][labelstudio.ITEM], name)
            changed = changed or (task["id"], number)
        eventually(lambda: len(labels()) == 8)
        task, number = changed
        studio._call(f"/api/annotations/{number}/", labelstudio.annotation(CLASSES[2]), "PATCH")
        answered[task] = (answered[task][0], CLASSES[2])
        with job.reading() as state:
            expected = {state.index_of(item): state.class_of(name) for item, name in answered.values() if name}
        eventually(lambda: labels() == expected)
        server.shutdown()
    with job.reading() as state:
        exported = labelstudio.export(state)
    assert len(studio.tasks()) == 9
    studio.add(exported)  # and what is exported here is imported there
    there = studio.tasks()[9:]
    assert {one.item: one.label for one in labelstudio.answers_of(there)} == {
        item: name for item, name in answered.values() if name
    }
    assert not troubles
