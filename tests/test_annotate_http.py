"""The HTTP backend: who gets in, what it takes, what it refuses; and its part of the loop with Label Studio."""

import http.client
import json
import socket
import struct
import threading
from contextlib import ExitStack, closing, contextmanager

import pytest

from labelbench_direct.annotate import labelstudio, studio
from labelbench_direct.annotate.files import Answer
from labelbench_direct.annotate.job import Job
from labelbench_direct.annotate.scores import Reference
from labelbench_direct.annotate.server import LARGEST, Server
from labelbench_direct.annotate.settings import Settings
from labelbench_direct.annotate.studio import Loop, Studio

TOKEN = "a token of the tests"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def job(tmp_path):
    table = tmp_path / "items.csv"
    table.write_text("id,text\n" + "".join(f"i{n},{HOSTILE}\n" for n in range(20)))
    settings = Settings(["a", "b"], 20, budget=8, parallel=4, items=vars(Reference.to(table, tmp_path)))
    with closing(Job.start(tmp_path / "job.db", settings)) as job:
        yield job


@contextmanager
def served(job, loop=None):
    with Server(("127.0.0.1", 0), job, TOKEN, loop) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def send(port, method, path, body=None, **headers):
    text = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"} | headers
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, text, {name: value for name, value in headers.items() if value is not None})
        response = connection.getresponse()
        return response.status, json.loads(response.read()), response.headers


def test_ask_tell_release_correct_status(job):
    with served(job) as port:
        _, asked, headers = send(port, "POST", "/ask", {"annotator": "ann", "count": 3})
        first, second, third = (one["item"] for one in asked["items"])
        assert asked["items"][0]["data"] == {"id": first, "text": HOSTILE}
        assert (headers["Content-Type"], headers["X-Content-Type-Options"]) == ("application/json", "nosniff")
        said = [{"item": first, "label": "a"}, {"item": second, "label": None}]
        assert send(port, "POST", "/tell", {"annotator": "ann", "answers": said})[1]["new"] == 2
        assert send(port, "POST", "/release", {"annotator": "ann"})[1] == {"released": 1}
        assert send(port, "POST", "/correct", {"annotator": "ann", "item": first, "label": "b"})[0] == 200
        found = send(port, "GET", "/status")[1]
        assert (found["labeled"], found["out"], found["open"]) == (1, 1, 0)
        assert send(port, "GET", "/suspicious")[1] == {"suspicious": []}
    assert third


@pytest.mark.parametrize("token", [None, "", "Bearer", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN])
def test_without_the_token_nothing_happens(job, token):
    with served(job) as port:
        code, answer, _ = send(port, "POST", "/ask", {"annotator": "ann"}, Authorization=token)
        assert (code, list(answer)) == (401, ["error"])
        assert send(port, "GET", "/status", Authorization=token)[0] == 401
    with job.reading() as state:
        assert state.seq == 1


@pytest.mark.parametrize(
    ("path", "body", "headers", "code", "match"),
    [
        ("/nowhere", {}, {}, 404, "POST /ask"),
        ("/ask", b"{", {}, 400, "Expecting"),
        ("/ask", b"\xff", {}, 400, "decode"),
        ("/ask", b"[" * 100_000, {}, 400, "nested too deeply"),
        ("/ask", [], {}, 400, "annotator is a string"),
        ("/ask", {"annotator": "ann"}, {"Content-Type": "text/plain"}, 400, "must be application/json"),
        ("/ask", {"annotator": "ann", "count": "1"}, {}, 400, "count must be an integer"),
        ("/ask", {"annotator": HOSTILE}, {}, 400, "annotator's name"),
        ("/ask", {"annotator": "ann"}, {"Content-Length": str(LARGEST + 1)}, 413, "at most"),
        ("/ask", {"annotator": "ann"}, {"Content-Length": "-1"}, 400, "Content-Length"),
        ("/tell", {"annotator": "ann", "answers": [{"item": "i1"}]}, {}, 400, "label is missing"),
        ("/tell", {"annotator": "ann", "answers": [1]}, {}, 400, "item is a string"),
        ("/tell", {"annotator": "ann", "answers": [{"item": "../i1", "label": "a"}]}, {}, 400, "no item"),
        ("/release", {"annotator": "ann", "items": "i1"}, {}, 400, "list of strings"),
        ("/webhook", {}, {}, 400, "keeps no Label Studio project"),
    ],
)
def test_refused(job, path, body, headers, code, match):
    with served(job) as port:
        got, answer, _ = send(port, "POST", path, body, **headers)
        assert (got, match in answer["error"]) == (code, True), answer
        assert send(port, "GET", "/status")[0] == 200  # and it goes on
    with job.reading() as state:
        assert state.seq == 1


@pytest.mark.parametrize("token", ["short", "zwanzig Zeichen mit ß", "sixteen and a line\n"])
def test_a_token_that_no_header_can_hold_is_refused(job, token):
    with pytest.raises(ValueError, match="at least 16 characters, in ASCII"):
        Server(("127.0.0.1", 0), job, token)


def test_a_port_that_cannot_be_had(job):
    with served(job) as port, pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: .*in use"):
        Server(("127.0.0.1", port), job, TOKEN)
    with pytest.raises(OSError, match=r"cannot listen on 127.0.0.1:99999: .*0-65535"):
        Server(("127.0.0.1", 99999), job, TOKEN)


@pytest.mark.parametrize("method", ["PUT", "HEAD", "OPTIONS", "<script>"])
def test_other_methods_are_refused_in_json(job, method):
    with served(job) as port, closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as client:
        client.sendall(f"{method} /{HOSTILE} HTTP/1.1\r\n\r\n".encode())
        head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 501 Not Implemented\r\n")
        assert b"Content-Type: application/json" in head
        assert list(json.loads(body)) == ["error"]


def test_what_follows_a_get_is_no_request(job):
    """A body that nobody reads would be taken for the next request's first line."""
    head = f"GET /status HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n"
    with served(job) as port, closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as client:
        client.sendall(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())
        assert client.makefile("rb").read().count(b"HTTP/1.1") == 1


def test_who_hangs_up_leaves_no_trace(job, capsys):
    with served(job) as port:
        for text in ("POST /ask HTTP/1.1\r\n", "POST /ask HTTP/1.1\r\n\r\n"):
            with closing(socket.create_connection(("127.0.0.1", port))) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # by a reset
                client.sendall(text.encode())
        assert send(port, "GET", "/status")[0] == 200
        for thread in threading.enumerate():
            if "process_request" in thread.name:
                thread.join(10)
    assert capsys.readouterr().err == ""


def test_fifty_who_come_at_once_need_not_wait(job):
    with Server(("127.0.0.1", 0), job, TOKEN) as server, ExitStack() as clients:  # which is busy: it accepts nobody yet
        for _ in range(50):
            clients.enter_context(closing(socket.create_connection(server.server_address, timeout=0.5)))


class FakeStudio:
    """A project that keeps what it is given, as the real one exports it."""

    def __init__(self):
        self.kept = []

    def tasks(self):
        return self.kept

    def add(self, tasks):
        self.kept += [task | {"id": len(self.kept) + n, "annotations": []} for n, task in enumerate(tasks)]


def event(task, label, user=7, action="ANNOTATION_CREATED"):
    said = {"completed_by": user, "was_cancelled": label is None}
    said |= {"result": []} if label is None else labelstudio.annotation(label)
    return {"action": action, "task": task, "annotation": said}


def test_the_loop_with_label_studio(job):
    studio, troubles = FakeStudio(), []
    loop = Loop(job, studio, troubles.append)
    loop.reconcile()
    assert len(studio.kept) == 4
    with served(job, loop) as port:
        assert send(port, "POST", "/webhook", event(studio.kept[0], "a"))[1] == {"kept": 1}
        assert send(port, "POST", "/webhook", event(studio.kept[0], "a"))[1] == {"kept": 0}
        assert send(port, "POST", "/webhook", event(studio.kept[0], "b", action="ANNOTATION_UPDATED"))[1] == {"kept": 1}
        assert send(port, "POST", "/webhook", event(studio.kept[1], None))[1] == {"kept": 1}
        others = {"data": {"text": "somebody else's task"}}
        assert send(port, "POST", "/webhook", event(others, "a"))[1] == {"kept": 0}
        code, answer, _ = send(port, "POST", "/webhook", event(studio.kept[2], "no class"))
        assert (code, "no class" in answer["error"]) == (400, True)
        deleted = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]}
        assert send(port, "POST", "/webhook", deleted)[1] == {"kept": 0}
    assert loop.top_up() == 2
    assert len({task["data"][labelstudio.ITEM] for task in studio.kept}) == len(studio.kept) == 6
    with job.reading() as state:
        first, second = (state.index_of(task["data"][labelstudio.ITEM]) for task in studio.kept[:2])
        assert state.ledger.labels() == {first: 1}
        assert state.ledger.label(second) == -1
    assert not troubles


def test_what_was_not_heard_is_fetched_and_nothing_is_handed_out_twice(job):
    studio, troubles = FakeStudio(), []
    Loop(job, studio, troubles.append).reconcile()
    studio.kept[0]["annotations"] = [event(None, "a")["annotation"] | {"updated_at": "2"},
                                     event(None, "b")["annotation"] | {"updated_at": "1"}]  # fmt: skip
    studio.kept[1]["annotations"] = [event(None, "no class")["annotation"]]
    Loop(job, studio, troubles.append).reconcile()  # another process
    assert len({task["data"][labelstudio.ITEM] for task in studio.kept}) == len(studio.kept) == 5
    with job.reading() as state:
        assert list(state.ledger.labels().values()) == [0]
    assert len(troubles) == 1
    assert "no class" in troubles[0]


def test_one_annotation_that_says_nothing_takes_no_other_with_it(job):
    project, troubles = FakeStudio(), []
    loop = Loop(job, project, troubles.append)
    loop.reconcile()
    nothing = {"completed_by": 8, "result": []}
    project.kept[0]["annotations"] = [
        nothing,
        event(None, "no class", user=9)["annotation"],
        event(None, "a")["annotation"],
    ]
    loop.reconcile()
    with job.reading() as state:
        assert list(state.ledger.labels().values()) == [0]
    assert [trouble.split(":")[0] for trouble in troubles] == ["an annotation was left out"] * 2


def test_what_was_not_heard_is_fetched_also_where_much_is_heard(job, monkeypatch):
    monkeypatch.setattr(studio, "_RECONCILE_SECONDS", 0.05)
    loop, woken = Loop(job, FakeStudio(), print), []

    def top_up():
        woken.append(1)
        loop._wake.set()
        assert len(woken) < 1_000_000

    def reconcile():
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "top_up", top_up)
    monkeypatch.setattr(loop, "reconcile", reconcile)
    loop._wake.set()
    with pytest.raises(KeyboardInterrupt):
        loop._go_on()
    assert woken


@pytest.mark.parametrize("key", ["legacy", "a.b.c"])
def test_what_is_no_label_studio(job, key):
    with served(job) as port, pytest.raises(OSError, match="Label Studio refused"):
        Studio(f"http://127.0.0.1:{port}", key, 1).tasks()
    with pytest.raises(OSError, match="does not answer"):
        Studio("http://127.0.0.1:port", key, 1).tasks()


@pytest.mark.parametrize("key", ["legacy", "a.b.c"])
def test_json_that_is_not_label_studios(key, monkeypatch):
    monkeypatch.setattr(studio, "_request", lambda *_: {"detail": "something else"})
    for call in (
        Studio("http://x", key, 1).tasks,
        lambda: Studio("http://x", key, 1).send_events_to("http://y", TOKEN),
    ):
        with pytest.raises(OSError, match="is Label Studio there"):
            call()


def test_a_labeling_interface_quotes_what_is_in_it():
    config = labelstudio.labeling_config(['"><HyperText value="$x"/>', "b&c"], "te'xt", "Text")
    assert "<HyperText" not in config
    assert "b&amp;c" in config


@pytest.mark.parametrize(
    ("annotation", "match"),
    [
        ({"completed_by": 1, "result": []}, "must choose one class, it chooses 0"),
        ({"completed_by": 1, "result": labelstudio.annotation("a")["result"] * 2}, "it chooses 2"),
        ({"completed_by": HOSTILE, "result": []}, "by 'completed_by' whose it is"),
        ("junk", "is no object"),
    ],
)
def test_annotations_that_say_nothing(annotation, match):
    with pytest.raises(ValueError, match=match):
        labelstudio.answer_of({"data": {labelstudio.ITEM: "i1"}}, annotation)


def test_annotations_by_whom():
    task = {"data": {labelstudio.ITEM: "i1"}}
    said = labelstudio.annotation("a") | {"completed_by": {"id": 3, "email": "x@y"}}
    assert labelstudio.answer_of(task, said) == Answer("studio-3", "i1", "a")
