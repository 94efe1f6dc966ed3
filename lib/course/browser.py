"""A browser without a screen, driven through the DevTools protocol over a pair of pipes.

Nothing but the standard library and an installed Chromium is needed: one process, one page that
goes from address to address.
"""

import contextlib
import gzip
import json
import os
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .chromium import FLAGS, BrowserError, find_browser

__all__ = ["BROWSER", "Browser", "served"]

PATIENCE = 60  # seconds that an answer may take
try:
    BROWSER = find_browser()
except BrowserError:
    BROWSER = None


class Browser:
    """One page of a headless Chromium; to be used in a ``with`` block.

    Attributes
    ----------
    events : list of (str, dict)
        Names and contents of what the page has reported.
    """

    def __init__(self) -> None:
        import fcntl  # not on Windows, where the rest of this module can be imported

        if BROWSER is None:
            raise RuntimeError("Browser: no Chromium was found; install chromium")
        self.events: list[tuple[str, dict]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="browser", ignore_cleanup_errors=True)
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        # Chromium reads from file 3 and writes to file 4: our ends go there, by way of numbers
        # that neither overwrites.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (commands, answers)]
        self._process = subprocess.Popen(
            [BROWSER, *FLAGS, "--remote-debugging-pipe",
             f"--user-data-dir={self._folder.name}", "about:blank"],
            close_fds=False, preexec_fn=lambda: (os.dup2(ends[0], 3), os.dup2(ends[1], 4)),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in (commands, answers, *ends):
            os.close(end)
        self._received, self._number, self._session = b"", 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(OSError):
            os.close(self._write)
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._read)
        self._folder.cleanup()

    def call(self, method: str, **parameters) -> dict:
        """Send a command of the protocol and wait for its answer.

        Raises
        ------
        RuntimeError
            If the browser refuses the command, answers too late, or has gone.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(PATIENCE, method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"Browser: {method}: {answer['error']['message']}")
                return answer["result"]

    def _next(self, seconds: float, waiting_for: str) -> dict:
        """The next message; an event is also kept."""
        end = time.monotonic() + seconds
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._read], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise RuntimeError(f"Browser: no answer to {waiting_for} in {seconds} seconds")
            piece = os.read(self._read, 1 << 20)
            if not piece:
                raise RuntimeError(f"Browser: Chromium ended during {waiting_for}")
            self._received += piece
        text, self._received = self._received.split(b"\0", 1)
        message = json.loads(text)
        if "method" in message:
            self.events.append((message["method"], message["params"]))
        return message

    def look(self, width: int, height: int = 900, dark: bool = False) -> None:
        """Set the size of the window, in CSS pixels, and the color scheme that readers prefer."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address: str) -> None:
        """Go to an address and wait until the page, its formulas and its fonts are there.

        What the page before has reported is forgotten: this one might seem to be there already.
        """
        self.events.clear()
        self.call("Page.navigate", url=address)
        end = time.monotonic() + PATIENCE
        while not any(name == "Page.loadEventFired" for name, _ in self.events):
            self._next(max(0, end - time.monotonic()), f"opening {address}")
        self.run("(async () => { if (window.MathJax?.startup) await MathJax.startup.promise;"
                 " await document.fonts.ready; })()")
        self.settle()

    def settle(self) -> None:
        """Wait until what the page has just been told is drawn."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, program: str) -> object:
        """The value of a JavaScript expression; a promise is waited for.

        Raises
        ------
        RuntimeError
            If the program fails.
        """
        answer = self.call("Runtime.evaluate", expression=program, awaitPromise=True,
                           returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError("Browser: " + details.get("exception", details).get(
                "description", details["text"]))
        return answer["result"].get("value")


class _Compressing(SimpleHTTPRequestHandler):
    """Files as a web server sends them: texts compressed, nothing written to the terminal."""

    protocol_version = "HTTP/1.1"  # connections are kept, as by every real server

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path = path / "index.html"
        if not path.is_file():
            self.send_error(404)
            return
        kind, body = self.guess_type(path), path.read_bytes()
        self.send_response(200)
        if kind.split("/")[0] == "text" or kind.endswith(("javascript", "json", "xml")):
            body = gzip.compress(body, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if "text" in kind else kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    """A server that does not mind a browser that leaves before all is read."""

    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder as a web site of this machine, while the block lasts.

    Yields
    ------
    str
        Its address, without a slash at the end.
    """
    handler = partial(_Compressing, directory=str(folder))
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
