"""Names of the API that are still missing, so that who uses one learns that it is not a slip of the pen."""

_MODULE = frozenset(
    [
        "AsyncTransformer",
        "apply_async",
        "enable_interactive_mode",
        "graphs",
        "indexing",
        "iterate",
        "iterate_universe",
        "load_yaml",
        "local_error_log",
        "ml",
        "ordered",
        "pandas_transformer",
        "sql",
        "stateful",
        "statistical",
        "temporal",
        "utils",
        "viz",
        "xpacks",
    ]
)
_IO = frozenset(
    [
        "airbyte",
        "bigquery",
        "chroma",
        "clickhouse",
        "debezium",
        "deltalake",
        "duckdb",
        "dynamodb",
        "elasticsearch",
        "gdrive",
        "http",
        "iceberg",
        "kafka",
        "kinesis",
        "logstash",
        "milvus",
        "minio",
        "mongodb",
        "mqtt",
        "mssql",
        "mysql",
        "nats",
        "pinecone",
        "postgres",
        "pubsub",
        "pulsar",
        "pyfilesystem",
        "qdrant",
        "questdb",
        "rabbitmq",
        "redpanda",
        "register_input_synchronization_group",
        "slack",
        "weaviate",
    ]
)
_S3 = frozenset(
    ["DigitalOceanS3Settings", "WasabiS3Settings", "read", "read_from_digital_ocean", "read_from_wasabi", "write"]
)
_TABLE = frozenset(
    [
        "asof_join",
        "asof_join_left",
        "asof_join_outer",
        "asof_join_right",
        "asof_now_join",
        "asof_now_join_inner",
        "asof_now_join_left",
        "await_futures",
        "buffer",
        "deduplicate",
        "diff",
        "forget",
        "from_streams",
        "ignore_late",
        "inactivity_detection",
        "interpolate",
        "interval_join",
        "interval_join_inner",
        "interval_join_left",
        "interval_join_outer",
        "interval_join_right",
        "sort",
        "stream_to_table",
        "to_stream",
        "unpack_snapshots",
        "window_join",
        "window_join_inner",
        "window_join_left",
        "window_join_outer",
        "window_join_right",
        "windowby",
    ]
)
_PAGE = "the page on compatibility (docs/guide/compatibility.md) lists what is"


def of_module(name: str) -> str | None:
    """What to say of a missing name of ``pathway``; None if it is no name of the API."""
    return f"pw.{name} is not there yet; {_PAGE}" if name in _MODULE else None


def of_io(name: str) -> str | None:
    """What to say of a missing name of ``pathway.io``; None if it is no name of the API."""
    return f"pw.io.{name} is not there yet; {_PAGE}" if name in _IO else None


def of_s3(name: str) -> str | None:
    """What to say of a missing name of ``pathway.io.s3``; None if it is no name of the API."""
    return f"pw.io.s3.{name} is not there yet; {_PAGE}" if name in _S3 else None


def of_table(name: str) -> str | None:
    """What to say of a missing method of tables; None if it is no name of the API."""
    return f"Table.{name} is not there yet; {_PAGE}" if name in _TABLE else None
