"""Buckets of S3, and of what speaks like it: which, and how to get there.

Nothing is read from buckets or written to them yet but the state of runs: see ``pw.persistence.Backend.s3``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pathway._ground import arguments, missing_names

__all__ = ["AwsS3Settings"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)


@arguments.explained_class
@dataclass(frozen=True, kw_only=True)
class AwsS3Settings:
    """How to get to a bucket of Amazon S3, or of another server with the same interface.

    Credentials and the region that are not given are those of the environment: ``AWS_ACCESS_KEY_ID``,
    ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN`` and ``AWS_REGION``, or those of the machine or container at Amazon.

    Args:
        bucket_name: the name of the bucket.
        access_key: the key; both halves of it are given, or neither.
        secret_access_key: the secret half of it.
        with_path_style: the bucket is a part of the path and not of the name of the server, as most servers but
            Amazon's want it. Where the server is an address of numbers, it is always so.
        region: where the bucket is.
        endpoint: the server, if it is not Amazon's: ``"https://s3.example.org"``.
        session_token: the token of temporary credentials.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: only one half of the key is given.

    Example:

    >>> import pathway as pw
    >>> pw.io.s3.AwsS3Settings(
    ...     bucket_name="orders",
    ...     access_key="key",
    ...     secret_access_key="secret",
    ...     endpoint="http://127.0.0.1:9000",
    ...     with_path_style=True,
    ... )
    AwsS3Settings(bucket_name='orders', with_path_style=True, region=None, endpoint='http://127.0.0.1:9000')
    """

    bucket_name: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    with_path_style: bool = False
    region: str | None = None
    endpoint: str | None = None
    session_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for argument in fields(self):
            value = getattr(self, argument.name)
            if argument.name == "with_path_style":
                if not isinstance(value, bool):
                    raise TypeError(f"argument with_path_style has to be True or False, found {value!r}")
            elif value is not None and not isinstance(value, str):
                # A secret is not shown, whatever it is.
                raise TypeError(f"argument {argument.name} has to be a str, found a {type(value).__name__}")
        if (self.access_key is None) != (self.secret_access_key is None):
            raise ValueError("access_key and secret_access_key belong together: give both, or neither")

    @classmethod
    def new_from_path(cls, s3_path: str) -> AwsS3Settings:
        """The bucket that a path is in, with the credentials and the region of the environment.

        Args:
            s3_path: ``"s3://bucket/path"``.

        Raises:
            ValueError: it is no such path.

        Example:

        >>> import pathway as pw
        >>> pw.io.s3.AwsS3Settings.new_from_path("s3://orders/of/today").bucket_name
        'orders'
        """
        parts = urlsplit(s3_path)
        if parts.scheme != "s3" or not parts.netloc:
            raise ValueError(f"Incorrect S3 path: {s3_path}; it has to be like 's3://bucket/path'")
        return cls(bucket_name=parts.netloc)
