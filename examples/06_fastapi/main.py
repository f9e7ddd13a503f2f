"""A FastAPI application that pushes rows into a computation, and answers with what has come of them.

`POST /orders` hands an order to the subject; `GET /totals` gives the totals of this moment. The run goes on in the
background for as long as the application does. The libraries are FastAPI and uvicorn (`pip install fastapi uvicorn`).

    python examples/06_fastapi/main.py [port] [totals.csv]

    curl -X POST localhost:8000/orders -H 'Content-Type: application/json' -d '{"shop": "harbour", "pounds": 12.5}'
    curl localhost:8000/totals

Ctrl-C ends the application, which stops the run, with everything written.
"""

import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pathway as pw
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel


class Order(BaseModel):
    shop: str
    pounds: float


class OrderSchema(pw.Schema):
    shop: str
    pounds: float


class Orders(pw.io.python.ConnectorSubject):
    """Waits for as long as the application runs; the handlers send the rows."""

    def __init__(self) -> None:
        super().__init__("orders")
        self.ended = threading.Event()

    def run(self) -> None:
        self.ended.wait()

    def on_stop(self) -> None:
        self.ended.set()


class Totals:
    """The rows of a table as they are now."""

    def __init__(self, table: pw.Table) -> None:
        self._rows: dict[pw.Pointer, dict[str, Any]] = {}
        self._lock = threading.Lock()
        pw.io.subscribe(table, on_change=self._change)

    def _change(self, key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        with self._lock:
            # A row that changes is removed first, then added.
            if is_addition:
                self._rows[key] = row
            else:
                del self._rows[key]

    def rows(self) -> list[dict[str, Any]]:
        with self._lock:
            return sorted(self._rows.values(), key=lambda row: row["shop"])


def application(output: str = "totals.csv") -> FastAPI:
    subject = Orders()
    orders = pw.io.python.read(subject, schema=OrderSchema, autocommit_duration_ms=50)
    table = orders.groupby(orders.shop).reduce(
        orders.shop, pounds=pw.reducers.sum(orders.pounds), orders=pw.reducers.count()
    )
    totals = Totals(table)
    pw.io.csv.write(table, output)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Without lines about the progress, which would be in the way of what uvicorn prints.
        async with pw.start(monitoring_level=pw.MonitoringLevel.NONE) as app.state.computation:
            yield

    app = FastAPI(lifespan=lifespan)

    # Not `async`: `next` waits when the engine is behind, which must not hold up the event loop.
    @app.post("/orders", status_code=202)
    def take(order: Order) -> None:
        if not app.state.computation.is_running:
            raise HTTPException(503, "the computation has ended, see the log")
        subject.next(**order.model_dump())

    @app.get("/totals")
    def show() -> list[dict[str, Any]]:
        return totals.rows()

    return app


if __name__ == "__main__":
    port, *rest = sys.argv[1:] or ["8000"]
    uvicorn.run(application(*rest), host="127.0.0.1", port=int(port))
