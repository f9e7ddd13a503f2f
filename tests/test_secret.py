"""The secret that processes of one user on one machine have without being told one."""

from __future__ import annotations

import os
import pathlib
import stat
import subprocess
import sys
import tempfile
from typing import Any

import pytest
from pathway._ground import environment, secret

pytestmark = pytest.mark.one_process("nothing is run")

NAME = "pathway-cluster-secret"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "runtime"
    path.mkdir(mode=0o700)
    return path


def test_all_processes_have_the_same_secret_which_only_the_user_can_read(folder: pathlib.Path) -> None:
    made = secret.of_this_user(str(folder))
    assert len(made) == 64
    assert secret.of_this_user(str(folder)) == made
    (file,) = folder.iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == (NAME, 0o600)


def test_processes_that_start_together_agree(folder: pathlib.Path) -> None:
    program = f"from pathway._ground import secret; input(); print(secret.of_this_user({str(folder)!r}))"
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    secrets = {process.communicate(timeout=60)[0] for process in processes}
    assert len(secrets) == 1
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_without_a_runtime_folder_it_is_in_one_of_its_own(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(secret, "_USERS", str(tmp_path / "no-such-{user}"))
    made = secret.of_this_user("")
    own = tmp_path / f"pathway-{os.geteuid()}"
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert (own / NAME).read_text() == made
    own.chmod(0o755)
    with pytest.raises(ValueError, match=f"{own} is open to others: .*chmod go= {own}"):
        secret.of_this_user("")
    # A folder of the environment that others can read is not used.
    assert (tmp_path / "open").mkdir(mode=0o755) is None
    own.chmod(0o700)
    assert secret.of_this_user(str(tmp_path / "open")) == made
    own.rename(tmp_path / "elsewhere")
    own.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="there is no safe place for a secret"):
        secret.of_this_user("")


def link(file: pathlib.Path) -> None:
    other = file.with_name("other")
    other.write_text("0" * 64)
    other.chmod(0o600)
    file.symlink_to(other)


@pytest.mark.parametrize(
    ("put", "message"),
    [
        (link, "no safe place for a secret: .*[Ss]ymbolic"),
        (lambda file: os.mkfifo(file, 0o600), "is no file: remove it"),
        (lambda file: file.mkdir(mode=0o700), "no safe place for a secret: .*[Dd]irectory"),
        (lambda file: file.touch(0o600), "holds no secret: remove it"),
        (lambda file: file.write_text("x" * 64) and file.chmod(0o600), "holds no secret: remove it"),
        (lambda file: file.write_text("0" * 65) and file.chmod(0o600), "holds no secret: remove it"),
        (lambda file: file.write_text("0" * 64) and file.chmod(0o640), "is open to others"),
    ],
)
def test_what_somebody_else_may_have_put_there_is_not_taken(folder: pathlib.Path, put: Any, message: str) -> None:
    put(folder / NAME)
    with pytest.raises(ValueError, match=message):
        secret.of_this_user(str(folder))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_somebody_else_is_not_taken(folder: pathlib.Path) -> None:
    secret.of_this_user(str(folder))
    os.chown(folder / NAME, 12345, 12345)
    with pytest.raises(ValueError, match=r"belongs to somebody else \(user 12345\)"):
        secret.of_this_user(str(folder))


def test_processes_on_one_machine_need_not_be_told(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PATHWAY_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATHWAY_PROCESSES", "2")
    monkeypatch.setenv("PATHWAY_PROCESS_ID", "1")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    cluster = environment.cluster()
    assert cluster is not None
    assert cluster.secret == (folder / NAME).read_text()
    monkeypatch.setenv("PATHWAY_ADDRESSES", "127.0.0.1:1,[::1]:2")
    assert environment.cluster() is not None
    (folder / NAME).chmod(0o644)
    with pytest.raises(ValueError, match=r"PATHWAY_CLUSTER_SECRET has to be set, .*: .* is open to others"):
        environment.cluster()
