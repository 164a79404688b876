"""A store of objects that fails now and then, or for good, or says nothing: the same bytes as ever, or one clear line.

The store is a server of this machine behind a proxy that does the harm.
"""

from __future__ import annotations

import http.client
import http.server
import itertools
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from abr_alloc.location import list_files, parse_location, read_bytes
from abr_alloc.writing import write_bytes

MOST_S = 60.0  # no run takes longer, whatever the store does
FAULTS = ("500", "503", "closed", "cut", "half", "slow")
"""Two answers; no answer, a body that ends early by a closed connection, or of half the length that ever comes; late."""


class FaultyStore(http.server.ThreadingHTTPServer):
    """A proxy before a store, with a fault at some requests."""

    daemon_threads = True

    def __init__(self, store: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = urlsplit(store).netloc
        self.fault_of: Callable[[int, str], str] = lambda number, method: ""
        self.numbers = itertools.count()
        self.released = threading.Event()
        """Ends what is silent."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_) -> None:
        """A client that has gone away is none of this server's trouble."""


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: FaultyStore

    def answer(self) -> None:
        fault = self.server.fault_of(next(self.server.numbers), self.command)
        sent = self.read_body()
        if fault == "silent":
            self.server.released.wait()
        elif fault == "slow":
            time.sleep(0.2)
        if fault in ("500", "503"):
            code = {"500": "InternalError", "503": "SlowDown"}[fault]
            body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>Please try again.</Message></Error>'.encode()
            self.send(int(fault), {"Content-Type": "application/xml"}, b"" if self.command == "HEAD" else body, len(body))
            return
        if fault in ("closed", "silent"):
            self.close_connection = True
            return
        behind = http.client.HTTPConnection(self.server.store, timeout=30)
        behind.request(self.command, self.path, sent, {k: v for k, v in self.headers.items() if k != "Transfer-Encoding"})
        found = behind.getresponse()
        body = found.read()
        length = int(found.headers.get("Content-Length", len(body)))
        kept = {k: v for k, v in found.headers.items() if k.lower() not in ("connection", "content-length", "date", "server")}
        if fault == "half":  # and nothing says so but the digest of what was stored
            body = body[: len(body) // 2]
            length = len(body) if self.command != "HEAD" else length
        elif fault == "cut":
            body, self.close_connection = body[: len(body) // 2], True
        self.send(found.status, kept, body, length)
        behind.close()

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def send(self, status: int, headers: dict[str, str], body: bytes, length: int) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass
