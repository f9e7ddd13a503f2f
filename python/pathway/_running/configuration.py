"""Settings of the original that have nothing to set here, and those that hold for all runs of a program."""

from __future__ import annotations

import os

from pathway._ground import arguments, tracebacks


@tracebacks.shortened
def set_license_key(key: str | None) -> None:
    """Accepts a license key and does nothing with it: no feature needs one.

    Args:
        key: any text or None.

    Example:

    >>> import pathway as pw
    >>> pw.set_license_key(None)
    """
    if key is not None and not isinstance(key, str):
        raise TypeError(f"argument key has to be a text or None, found {key!r}")


@arguments.explained
def set_monitoring_config(
    *, server_endpoint: str | None = None, detailed_metrics_dir: str | os.PathLike[str] | None = None
) -> None:
    """Says where metrics are sent. Nowhere for now: for metrics over HTTP, use ``pw.run(with_http_server=True)``.

    Args:
        server_endpoint: an OTLP endpoint; has to be None, as it is not supported yet.
        detailed_metrics_dir: a folder for metrics in SQLite; has to be None, as it is not supported yet.

    Example:

    >>> import pathway as pw
    >>> pw.set_monitoring_config(server_endpoint=None)
    """
    for name, value in {"server_endpoint": server_endpoint, "detailed_metrics_dir": detailed_metrics_dir}.items():
        if value is not None:
            raise NotImplementedError(
                f"argument {name} of pw.set_monitoring_config() is not supported yet; "
                "pw.run(with_http_server=True) serves metrics over HTTP"
            )
