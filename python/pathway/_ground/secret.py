"""The secret of processes that one user starts on one machine, where they are told none.

It is in a file that only the user can read. Whoever comes first makes it, and all others, also of later runs, read it.
Where the folder or the file is not the user's alone, that is an error: nothing is read or mended that somebody else may
have put there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator

_NAME = "pathway-cluster-secret"

# Where systemd puts what XDG_RUNTIME_DIR names.
_USERS = "/run/user/{user}"

# The length of the text.
_DIGITS = 64


def of_this_user(runtime_folder: str) -> str:
    """The secret; `runtime_folder` is where the user's programs keep such things, if that is known.

    A ValueError says what to do if there is no safe place for it.
    """
    if not hasattr(os, "geteuid"):
        raise ValueError("there is no place on this system that only one user can read")
    try:
        with _folder(runtime_folder) as (folder, path):
            return _read(folder, path) or _make(folder, path)
    except OSError as error:
        raise ValueError(f"there is no safe place for a secret: {error}") from None


@contextlib.contextmanager
def _folder(runtime_folder: str) -> Iterator[tuple[int, str]]:
    """A folder that belongs to the user alone, opened, and its path for messages."""
    user = os.geteuid()
    # A shell of a login is told of the first, one of `su` or `cron` is not; both have to find the same.
    for path in (runtime_folder, _USERS.format(user=user)):
        if os.path.isabs(path):
            try:
                folder = _open_folder(path)
            except (OSError, ValueError):
                continue
            break
    else:
        path = os.path.join(tempfile.gettempdir(), f"pathway-{user}")
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        folder = _open_folder(path)
    try:
        yield folder, path
    finally:
        os.close(folder)


def _open_folder(path: str) -> int:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _check(os.fstat(folder), path)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _check(found: os.stat_result, path: str) -> None:
    """Makes sure that nobody else can look at it or has put it there."""
    if found.st_uid != os.geteuid():
        raise ValueError(f"{path} belongs to somebody else (user {found.st_uid})")
    if found.st_mode & 0o077:
        raise ValueError(f"{path} is open to others: take their permissions away (chmod go= {path}), or remove it")


def _read(folder: int, path: str) -> str | None:
    """The secret in the folder; None if there is none yet."""
    path = os.path.join(path, _NAME)
    try:
        # Not to wait for a pipe.
        file = os.open(_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    with open(file, "rb") as opened:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{path} is no file: remove it")
        _check(found, path)
        text = opened.read(_DIGITS + 1).decode("ascii", errors="replace")
    if len(text) != _DIGITS or not all(digit in "0123456789abcdef" for digit in text):
        raise ValueError(f"{path} holds no secret: remove it, and another one is made")
    return text


def _make(folder: int, path: str) -> str:
    """Makes the secret, unless another process is faster; then it is that one's."""
    draft = f"{_NAME}.{secrets.token_hex(8)}"
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        with open(file, "wb") as opened:
            opened.write(secrets.token_hex(_DIGITS // 2).encode())
        # A link is there as a whole, or was there before.
        with contextlib.suppress(FileExistsError):
            os.link(draft, _NAME, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    finally:
        os.unlink(draft, dir_fd=folder)
    made = _read(folder, path)
    if made is None:
        raise ValueError(f"{os.path.join(path, _NAME)} was removed while it was made")
    return made
