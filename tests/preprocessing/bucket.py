"""A bucket on this machine: what of Google Cloud Storage's JSON API reads, lists and deletes objects."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

RESOURCE = r"/storage/v1/b/(?P<bucket>[^/?]+)(?P<objects>/o(?:/(?P<name>[^/?]+))?)?"


class Bucket(ThreadingHTTPServer):
    """Serves its `objects`, which stand there by name."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}

    @property
    def address(self) -> str:
        """For the variable `STORAGE_EMULATOR_HOST`, which Google's client reads."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def served_bucket() -> Iterator[Bucket]:
    with Bucket() as bucket:
        thread = threading.Thread(target=bucket.serve_forever, daemon=True)
        thread.start()
        yield bucket
        bucket.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Bucket

    def do_GET(self) -> None:
        match = re.search(RESOURCE, self.path)
        query = parse_qs(urlsplit(self.path).query)
        name = unquote(match["name"] or "")
        if not match["objects"]:
            self._answer(200, json.dumps({"name": match["bucket"], "location": "EU"}))
        elif not name:
            prefix = query.get("prefix", [""])[0]
            names = sorted(each for each in self.server.objects if each.startswith(prefix))
            self._answer(200, json.dumps({"items": [self._facts(match["bucket"], each) for each in names]}))
        elif name not in self.server.objects:
            self._answer(404, "{}")
        elif query.get("alt") == ["media"]:
            self._answer_range(self.server.objects[name])
        else:
            self._answer(200, json.dumps(self._facts(match["bucket"], name)))

    def do_POST(self) -> None:
        """A batch of deletions: one request, and one answer, in each part of a multipart message."""
        assert urlsplit(self.path).path == "/batch/storage/v1"
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        head = "--part\r\nContent-Type: application/http\r\n\r\n"
        parts = []
        for path in re.findall(r"^DELETE (\S+) HTTP", body, re.MULTILINE):
            found = self.server.objects.pop(unquote(re.search(RESOURCE, path)["name"]), None)
            status = "404 Not Found" if found is None else "204 No Content"
            parts.append(f"{head}HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n\r\n")
        self._answer(200, "".join(parts) + "--part--\r\n", 'multipart/mixed; boundary="part"')

    def _answer_range(self, content: bytes) -> None:
        """Google's client reads on until it is told that there is no more."""
        first = int(re.findall(r"\d+", self.headers.get("Range", "bytes=0-"))[0])
        if first >= len(content):
            self._answer(416, "")
        else:
            self._answer(206, content[first:], "application/octet-stream")

    def _facts(self, bucket: str, name: str) -> dict[str, str]:
        return {
            "name": name,
            "bucket": bucket,
            "size": str(len(self.server.objects[name])),
            "updated": "2026-11-23T00:00:00.000Z",
        }

    def _answer(self, status: int, content: str | bytes, kind: str = "application/json") -> None:
        data = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""
