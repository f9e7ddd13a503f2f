"""Names of the API that are still missing, so that who uses one learns that it is not a slip of the pen.

By where users look for them. A name whose absence something makes up for comes with what to write meanwhile. When a
name arrives, it leaves this list: tests/compatibility/test_signatures.py compares it with the names of the original.
"""

from __future__ import annotations

_PAGE = "https://github.com/towpath/towpath/blob/main/docs/guide/compatibility.md#not-there-yet"

_CONNECTOR = "Meanwhile, a class with a method run() brings in rows of anything: pw.io.python.ConnectorSubject"
_OUTPUT = "Meanwhile, pw.io.subscribe and pw.io.python.write hand every change to a function of yours"
_BOTH = f"{_CONNECTOR}; pw.io.subscribe hands every change to a function of yours"
_WINDOW = (
    "Meanwhile, group by the beginning of the window: "
    'table.with_columns(hour=table.when.dt.floor("1h")).groupby(pw.this.hour)'
)
_CACHE = "Meanwhile, functools.cache keeps what a function has answered in memory"
_RETRY = "Meanwhile, repeat the attempt inside of the function"
_ASYNC = "Meanwhile, functions are synchronous; what waits for a network can be a connector with `async def run`"
_ALL_VALUES = "Meanwhile, apply a function to all values of a group: pw.apply(function, pw.reducers.tuple(column))"
_INSIDE = "It is the inside of the original package; what programs need is in `import pathway as pw`"
_PICTURES = "Tables have show() and plot()"
_TOGETHER = "Meanwhile, methods of tables and reducers are what it can be put together from"

# Where users look: what of that is missing, by what to write meanwhile.
_MISSING: dict[str, dict[str, str]] = {
    "pathway": {
        "AsyncTransformer apply_async": _ASYNC,
        "BaseCustomAccumulator": _ALL_VALUES,
        "enable_interactive_mode": "Meanwhile, table.live() computes a table in the background",
        "engine internals optional_import schema third_party": _INSIDE,
        "graphs indexing ml ordered stateful statistical stdlib utils": _TOGETHER,
        "iterate iterate_universe": "Meanwhile, a fixed number of steps can be written as a loop of Python over tables",
        "load_yaml": "Meanwhile, read the settings with a library for YAML, and make the objects of them",
        "local_error_log": "Meanwhile, pw.global_error_log() has the errors of all tables",
        "pandas_transformer": "Meanwhile, pw.apply runs a function of Python on each row",
        "sql": "Meanwhile, filter, groupby and join of tables say the same",
        "temporal": _WINDOW,
        "viz": _PICTURES,
        "xpacks": "Meanwhile, pw.udf makes a function of columns of any function, such as one that asks a model",
    },
    "pathway.io": {
        "airbyte debezium gdrive http kafka kinesis minio mongodb mqtt mssql mysql nats postgres pubsub pulsar "
        "pyfilesystem rabbitmq redpanda dynamodb": _BOTH,
        "bigquery chroma clickhouse elasticsearch leann logstash milvus pinecone qdrant questdb slack "
        "weaviate": _OUTPUT,
        "deltalake duckdb iceberg": "Meanwhile, ConnectorSubject.next_arrow takes what they read, and pw.io.subscribe "
        "gives what they are to write",
        "DurationLike ENGINE_TIME SynchronizedColumn register_input_synchronization_group": "",
        "TLSSettings": "",
    },
    "pathway.io.python": {
        "InteractiveCsvPlayer": "Meanwhile, pw.demo.replay_csv plays a file",
    },
    "pathway.io.s3": {
        "DigitalOceanS3Settings WasabiS3Settings": "Meanwhile, pw.io.s3.AwsS3Settings takes any endpoint, for what is "
        "kept of runs",
        "read read_from_digital_ocean read_from_wasabi": f"{_CONNECTOR}. A bucket that is mounted is read by pw.io.fs",
        "write": _OUTPUT,
    },
    "pathway.reducers": {
        "count_distinct_approximate": "Meanwhile, pw.reducers.count_distinct counts exactly",
        "stateful_many stateful_single udf_reducer": _ALL_VALUES,
    },
    "pathway.udfs": {
        "AsyncRetryStrategy ExponentialBackoffRetryStrategy FixedDelayRetryStrategy NoRetryStrategy "
        "with_retry_strategy": _RETRY,
        "CacheStrategy DefaultCache DiskCache InMemoryCache with_cache_strategy": _CACHE,
        "async_executor async_options auto_executor coerce_async fully_async_executor sync_executor with_capacity "
        "with_timeout": _ASYNC,
    },
    "pathway.stdlib": {
        "temporal": _WINDOW,
        "viz": _PICTURES,
    },
    "Table": {
        "asof_join asof_join_left asof_join_outer asof_join_right asof_now_join asof_now_join_inner "
        "asof_now_join_left": "",
        "await_futures": "There are no asynchronous functions yet, so there is nothing to wait for",
        "add_update_timestamp_utc buffer filter_out_results_of_forgetting forget ignore_late inactivity_detection": "",
        "deduplicate": "Meanwhile, the row with the greatest value is "
        "table.groupby(table.k).reduce(row=pw.reducers.argmax(table.v))",
        "diff interpolate sort": "Meanwhile, groupby(..., sort_by=...) orders the rows that pw.reducers.tuple puts "
        "together",
        "from_streams stream_to_table to_stream": "Meanwhile, pw.io.subscribe tells of each change whether a row is "
        "added or removed",
        "interval_join interval_join_inner interval_join_left interval_join_outer interval_join_right": "",
        "to": "Meanwhile, outputs are functions that take the table, such as pw.io.csv.write(table, path)",
        "unpack_snapshots": "",
        "window_join window_join_inner window_join_left window_join_outer window_join_right": "",
        "windowby": _WINDOW,
    },
    "LiveTable": {
        "snapshot_at": "Meanwhile, snapshot() has the rows of now, and keeps them",
        "subscribe": "Meanwhile, pw.io.subscribe(table, on_change) hands every change to a function of yours, and "
        "wait_for(condition) waits for one",
    },
}


def missing(place: str) -> dict[str, str]:
    """The names that are missing there, each with what to write meanwhile, which may be empty."""
    return {name: meanwhile for names, meanwhile in _MISSING.get(place, {}).items() for name in names.split()}


def message(path: str) -> str | None:
    """What to say of a name with all that stands before it; None if the API has no such name, as far as is known.

    What is inside of something that is missing is missing, too.
    """
    parts = path.split(".")
    for end in reversed(range(1, len(parts))):
        place, name = ".".join(parts[:end]), parts[end]
        meanwhile = missing(place).get(name)
        if meanwhile is not None:
            called = f"pw.{path.removeprefix('pathway.')}" if path.startswith("pathway.") else path
            is_what = "is not here" if meanwhile is _INSIDE else "is not there yet"
            return f"{called} {is_what}. {f'{meanwhile}. ' if meanwhile else ''}What is there: {_PAGE}"
    return None
