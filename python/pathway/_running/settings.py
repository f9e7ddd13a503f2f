"""The arguments of `pw.run`: their defaults and what they may be, in one place for everything that runs."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from pathway._ground import hints, tracebacks
from pathway._running.monitoring import MonitoringLevel

if TYPE_CHECKING:
    import asyncio

    from pathway._running.persisting import Config

P = ParamSpec("P")
R = TypeVar("R")


class Replay:
    """Stands where the original wants a configuration of persistence to play a `StreamGenerator`; needs nothing."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How to run; `pw.run` says what each means."""

    debug: bool = False
    monitoring_level: MonitoringLevel = MonitoringLevel.AUTO
    with_http_server: bool = False
    default_logging: bool = True
    persistence_config: Config | Replay | None = None
    runtime_typechecking: bool | None = None
    terminate_on_error: bool | None = None
    max_expression_batch_size: int = 1024
    event_loop: asyncio.AbstractEventLoop | None = None
    udf_cache_directory: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        for name in ("debug", "with_http_server", "default_logging"):
            self._check(name, bool, "True or False")
        for name in ("runtime_typechecking", "terminate_on_error"):
            self._check(name, (bool, type(None)), "True, False or None")
        self._check("monitoring_level", MonitoringLevel, "a pw.MonitoringLevel")
        if self.event_loop is not None:
            # Most runs need no asyncio, which takes long to import.
            import asyncio

            self._check("event_loop", asyncio.AbstractEventLoop, "an event loop of asyncio")
        self._check("udf_cache_directory", (str, os.PathLike, type(None)), "the path of a folder")
        self._check("max_expression_batch_size", int, "a whole number")
        if isinstance(self.max_expression_batch_size, bool) or self.max_expression_batch_size < 1:
            raise ValueError(
                f"argument max_expression_batch_size has to be above zero, found {self.max_expression_batch_size}"
            )
        if self.persistence_config is not None:
            # Most runs are not kept, and begin sooner without it.
            from pathway._running.persisting import Config

            self._check("persistence_config", (Config, Replay), "a pw.persistence.Config")

    def _check(self, name: str, kinds: type | tuple[type, ...], what: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, kinds):
            raise TypeError(f"argument {name} has to be {what}, found {value!r}")


def taking(settings: Callable[P, RunSettings]) -> Callable[[Callable[[RunSettings], R]], Callable[P, R]]:
    """A function of settings becomes one of the arguments that the settings are made of."""

    def decorate(function: Callable[[RunSettings], R]) -> Callable[P, R]:
        result = inspect.signature(function, eval_str=True).return_annotation
        signature = inspect.signature(settings).replace(return_annotation=result)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            __tracebackhide__ = True
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                mistake = TypeError(f"pw.{function.__name__}() {error}")
                hints.naming_arguments(settings, mistake)
                raise mistake from None
            try:
                made = settings(*args, **kwargs)
            except (TypeError, ValueError) as error:
                raise error.with_traceback(None) from None
            return function(made)

        public = tracebacks.shortened(called)
        public.__signature__ = signature  # type: ignore[attr-defined]
        return public

    return decorate
