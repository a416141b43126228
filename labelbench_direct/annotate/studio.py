"""The live loop with a running Label Studio: hand it its next tasks, take what its annotators say."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from labelbench_direct.annotate import labelstudio
from labelbench_direct.annotate.job import Job

ANNOTATOR = "label-studio"
"""Who holds the items that are tasks there: the program, for whoever takes them."""
_CREATED = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED")
_DELETED = "ANNOTATIONS_DELETED"
_SECONDS = 30
_RECONCILE_SECONDS = 600


class Studio:
    """A project of a running Label Studio, by its API. ``key``: an access token, legacy or personal.

    Raises OSError where it does not answer or refuses.
    """

    def __init__(self, url: str, key: str, project: int) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"Label Studio's address begins with http:// or https://, got {url!r}")
        self._url, self._key, self._project = url.rstrip("/"), key, project

    def tasks(self) -> list[Any]:
        """All tasks with their annotations."""
        return self._list(f"/api/projects/{self._project}/export?exportType=JSON&download_all_tasks=true")

    def add(self, tasks: list[dict[str, Any]]) -> None:
        """Give it more tasks."""
        self._call(f"/api/projects/{self._project}/import", tasks)

    def send_events_to(self, url: str, token: str) -> None:
        """Have it send what its annotators do to ``url``, in place of what it had for that address."""
        for webhook in self._list(f"/api/webhooks/?project={self._project}"):
            if webhook.get("url") == url:
                self._call(f"/api/webhooks/{int(webhook['id'])}/", method="DELETE")
        webhook = {
            "project": self._project,
            "url": url,
            "headers": {"Authorization": f"Bearer {token}"},
            "send_payload": True,
            "send_for_all_actions": False,
            "actions": [*_CREATED, _DELETED],
        }
        self._call("/api/webhooks/", webhook)

    def _list(self, path: str) -> list[Any]:
        found = self._call(path)
        if not isinstance(found, list):
            raise OSError(f"{self._url}{path} answered with something else than a list: is Label Studio there?")
        return found

    def _call(self, path: str, body: Any = None, method: str | None = None) -> Any:
        headers = {"Authorization": self._authorization(), "Content-Type": "application/json"}
        return _request(self._url + path, headers, body, method)

    def _authorization(self) -> str:
        """Legacy tokens are sent as they are; a personal one (it has two dots) is traded for a short-lived one."""
        if self._key.count(".") != 2:
            return f"Token {self._key}"
        answer = _request(
            f"{self._url}/api/token/refresh", {"Content-Type": "application/json"}, {"refresh": self._key}
        )
        if not isinstance(answer, Mapping) or "access" not in answer:
            raise OSError(f"{self._url} gave no access for the token: is Label Studio there?")
        return f"Bearer {answer['access']}"


def _request(url: str, headers: Mapping[str, str], body: Any, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, dict(headers), method=method)  # noqa: S310  # http, as checked above
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310  # as above
            text = response.read()
    except urllib.error.HTTPError as error:
        raise OSError(f"Label Studio refused {url}: {error.code} {error.read(500).decode(errors='replace')}") from error
    except (urllib.error.URLError, TimeoutError, http.client.HTTPException) as error:
        raise OSError(f"Label Studio does not answer at {url}: {error}") from error
    try:
        return json.loads(text) if text else None
    except ValueError as error:
        raise OSError(f"{url} did not answer with JSON: is Label Studio there?") from error


class Loop:
    """A job's queries as a project's tasks, as many at a time as the job has annotators at work.

    Label Studio sends an event once and waits a second for the answer: the answer in it is kept at once, and the next
    tasks follow from a thread, which also fetches from time to time what was not heard. ``report`` is told of troubles.
    """

    def __init__(self, job: Job, studio: Studio, report: Callable[[str], None]) -> None:
        self._job, self._studio, self._report = job, studio, report
        self._imported: set[str] = set()
        self._wake = threading.Event()

    def start(self) -> None:
        """Catch up, and go on in a thread that ends with the process. Raises OSError where Label Studio refuses."""
        self.reconcile()
        threading.Thread(target=self._go_on, daemon=True).start()

    def take(self, event: Any) -> int:
        """Keep what a webhook brought; how many answers were new."""
        action = event.get("action") if isinstance(event, Mapping) else None
        answer = None
        if action == _DELETED:
            self._job.note(ANNOTATOR, "annotations were deleted there; here the answers stay, until they are corrected")
        elif action in _CREATED:
            answer = labelstudio.answer_of(event.get("task"), event.get("annotation"))
        kept = 0 if answer is None else self._job.tell([answer], change=True).new
        self._wake.set()
        return kept

    def reconcile(self) -> None:
        """Take what was said while nobody listened, and hand out the next tasks."""
        for task in self._studio.tasks():
            item = labelstudio.item_of(task)
            if item is not None:
                self._imported.add(item)
                for answer in labelstudio.answers_of([task], self._leave_out):
                    try:
                        self._job.tell([answer], change=True)
                    except ValueError as error:
                        self._leave_out(error)
        self.top_up()

    def top_up(self) -> int:
        """Hand out what is to be asked next; how many tasks that were."""
        with self._job.reading() as state:
            ahead = state.settings.parallel
        items = [item for item in self._job.ask(ANNOTATOR, ahead) if item not in self._imported]
        if items:
            with self._job.reading() as state:
                tasks = [labelstudio.task(state, item) for item in items]
            self._studio.add(tasks)
            self._imported.update(items)
        return len(items)

    def _leave_out(self, error: ValueError) -> None:
        self._report(f"an annotation was left out: {error}")

    def _go_on(self) -> None:
        due = time.monotonic() + _RECONCILE_SECONDS
        while True:
            self._wake.wait(max(0.0, due - time.monotonic()))
            self._wake.clear()
            try:
                if time.monotonic() < due:
                    self.top_up()
                else:  # also where much is heard: what was missed would never be
                    due = time.monotonic() + _RECONCILE_SECONDS
                    self.reconcile()
            except (OSError, ValueError, RuntimeError) as error:
                self._report(f"{error}; trying again later")
