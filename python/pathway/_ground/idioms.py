"""What people write who come from pandas, polars, Spark or SQL, and what is written here.

One table for every kind of thing that can be asked for a name. Whoever asks for one that is not there gets the line of
code as a hint (`hints`), and docs/guide/coming-from.md is made of the same tables. Each line runs in
tests/test_coming_from.py, on the tables and the frame that are described there: `table` has the columns a, b, text,
maybe (an int or None), words (a list), doc (JSON) and when (a date); `other` has a and b.

A name stands here only if it is no name of the API; a column that has such a name is the column.
"""

from __future__ import annotations

from typing import NamedTuple


class Idiom(NamedTuple):
    """What is written here instead: a line of code, and what else one has to know."""

    code: str
    remark: str = ""

    @property
    def sentence(self) -> str:
        """Both, as a sentence."""
        return (
            f"{self.remark[0].upper()}{self.remark[1:]} {self.code}" if self.remark else f"Here one writes {self.code}"
        )


# Names that mean the same, separated by spaces, with what is written here.
Group = dict[str, Idiom]

_NO_ORDER = "rows have no order"
_PREVIEW = Idiom("pw.debug.compute_and_print(table, n_rows=5)", f"{_NO_ORDER}; to look at some of them:")
_SUM = Idiom("table.reduce(total=pw.reducers.sum(table.a))", "what is made of all rows is a reducer:")
_GROUPS = Idiom("table.groupby(table.b).reduce(table.b, total=pw.reducers.sum(table.a))")
_OVER_TIME = "windows are not there yet; within a group:"

TABLE: Group = {
    "where query loc iloc at iat": Idiom("table.filter(table.a > 1)"),
    "drop drop_columns": Idiom("table.without(table.b)", "to leave out columns:"),
    "drop_rows remove delete": Idiom("table.filter(~(table.a > 1))", "to leave out rows, say which stay:"),
    "with_column withColumn assign mutate insert hstack": Idiom("table.with_columns(c=table.a + 1)"),
    "withColumnRenamed set_axis": Idiom('table.rename({"a": "x"})'),
    "head limit tail take sample first last top": _PREVIEW,
    "sort_values sort_by sort_index order_by orderBy nlargest nsmallest top_k": Idiom(
        'pw.debug.table_to_pandas(table).sort_values("a")',
        f"{_NO_ORDER}; reducers (sorted_tuple, argmax) and outputs (sort_by=) know one, and what was computed can be "
        "sorted:",
    ),
    "to_pandas to_df toPandas to_frame": Idiom("pw.debug.table_to_pandas(table)", "to compute what is there:"),
    "to_polars": Idiom("pw.debug.table_to_polars(table)", "to compute what is there:"),
    "to_arrow": Idiom("pw.debug.table_to_arrow(table)", "to compute what is there:"),
    "to_dict to_dicts to_records to_list rows": Idiom("pw.debug.table_to_dicts(table)", "to compute what is there:"),
    "iterrows itertuples iter_rows foreach for_each each": Idiom(
        "pw.io.subscribe(table, lambda key, row, time, is_addition: print(row))", "to be called for every change:"
    ),
    "collect compute execute fetch fetchall display print": Idiom(
        "pw.debug.compute_and_print(table)",
        "nothing is computed before pw.run(); to compute and print what is there now:",
    ),
    "to_csv write_csv sink_csv": Idiom('pw.io.csv.write(table, "table.csv")', "to have it written by pw.run():"),
    "to_json write_json write_ndjson sink_ndjson": Idiom(
        'pw.io.jsonlines.write(table, "table.jsonl")', "to have it written by pw.run():"
    ),
    "to_parquet write_parquet sink_parquet": Idiom('pw.debug.table_to_parquet(table, "table.parquet")'),
    "merge joinWith inner_join left_join": Idiom("table.join(other, table.b == other.b).select(table.a, x=other.a)"),
    "group_by groupBy pivot pivot_table agg aggregate": _GROUPS,
    "value_counts": Idiom("table.groupby(table.b).reduce(table.b, n=pw.reducers.count())"),
    "sum total": _SUM,
    "mean avg average": Idiom("table.reduce(mean=pw.reducers.avg(table.a))"),
    "min max": Idiom("table.reduce(low=pw.reducers.min(table.a), high=pw.reducers.max(table.a))"),
    "count size shape height len length num_rows": Idiom(
        "table.reduce(n=pw.reducers.count())", "the number of rows is a result like any other:"
    ),
    "nunique n_unique": Idiom("table.reduce(n=pw.reducers.count_distinct(table.b))"),
    "append vstack union union_all unionAll extend": Idiom(
        'table[["a", "b"]].concat_reindex(other)', "to have the rows of both, under new keys:"
    ),
    "drop_duplicates unique distinct": Idiom("table.groupby(table.a, table.b).reduce(table.a, table.b)"),
    "dropna drop_nulls drop_nans": Idiom("table.filter(table.maybe.is_not_none())"),
    "fillna fill_null fill_nan": Idiom("table.with_columns(maybe=pw.coalesce(table.maybe, 0))"),
    "isna isnull": Idiom("table.select(missing=table.maybe.is_none())", "to ask it of a column:"),
    "isin is_in": Idiom("table.filter((table.a == 1) | (table.a == 2))"),
    "astype cast": Idiom("table.cast_to_types(a=float)"),
    "apply map applymap transform pipe map_rows": Idiom("table.select(c=pw.apply(str, table.a))"),
    "explode unnest": Idiom("table.flatten(table.words)"),
    "columns": Idiom("table.column_names()"),
    "dtypes types printSchema": Idiom("table.typehints()"),
    "index set_index with_row_index": Idiom("table.with_id_from(table.a)", "the key of a row is table.id; for others:"),
    "reset_index": Idiom("table.with_columns(key=table.id)", "the key is never lost; to have it as a column:"),
    "describe info summary": Idiom("pw.debug.table_to_pandas(table).describe()"),
    "rolling resample shift cumsum cum_sum ewm rank group_by_dynamic groupby_rolling window over": Idiom(
        "table.groupby(table.b, sort_by=table.a).reduce(table.b, values=pw.reducers.tuple(table.a))", _OVER_TIME
    ),
    "filter_by": Idiom("table.filter(table.a == 1)"),
    "lazy persist cache checkpoint": Idiom("table.select(table.a)", "every table is lazy, and kept up to date:"),
    "write save sink": Idiom('pw.io.csv.write(table, "table.csv")', "each module of pw.io has its own way:"),
}

COLUMN: Group = {
    "fillna fill_null fill_nan": Idiom("pw.coalesce(table.maybe, 0)"),
    "astype cast": Idiom("pw.cast(float, table.a)"),
    "alias rename": Idiom("table.select(c=table.a)", "a column gets its name where it is selected:"),
    "isin is_in": Idiom("(table.a == 1) | (table.a == 2)"),
    "isna isnull is_null": Idiom("table.maybe.is_none()"),
    "notna notnull is_not_null": Idiom("table.maybe.is_not_none()"),
    "apply map map_elements transform pipe": Idiom("pw.apply(str, table.a)"),
    "sum total": _SUM,
    "mean avg average": Idiom("table.reduce(mean=pw.reducers.avg(table.a))", _SUM.remark),
    "median std var quantile": Idiom(
        "table.reduce(x=pw.apply(lambda values: values[len(values) // 2], pw.reducers.sorted_tuple(table.a)))",
        "any function of Python can be applied to all values:",
    ),
    "min": Idiom("table.reduce(low=pw.reducers.min(table.a))", _SUM.remark),
    "max": Idiom("table.reduce(high=pw.reducers.max(table.a))", _SUM.remark),
    "count size shape": Idiom("table.reduce(n=pw.reducers.count())", _SUM.remark),
    "nunique n_unique": Idiom("table.reduce(n=pw.reducers.count_distinct(table.a))", _SUM.remark),
    "unique value_counts drop_duplicates mode": Idiom(
        "table.groupby(table.a).reduce(table.a, n=pw.reducers.count())", "the values and how often each is there:"
    ),
    "abs": Idiom("abs(table.a)"),
    "between is_between": Idiom("(table.a >= 1) & (table.a <= 3)"),
    "where mask when then otherwise clip": Idiom('pw.if_else(table.a > 1, "many", "few")'),
    "eq equals": Idiom("table.a == table.b"),
    "ne": Idiom("table.a != table.b"),
    "gt ge lt le": Idiom("table.a > table.b", "comparisons have operators:"),
    "add sub mul div truediv floordiv mod pow": Idiom("table.a + table.b", "arithmetic has operators:"),
    "and_ or_ not_": Idiom("(table.a > 1) & ~(table.b > 1)"),
    "values to_numpy to_list tolist to_series item iloc loc": Idiom(
        'pw.debug.table_to_pandas(table)["a"]', "a column has no values before the computation runs; to compute them:"
    ),
    "dtype type": Idiom("table.eval_type(table.a)"),
    "filter query": Idiom("table.filter(table.a > 1)", "rows belong to the table:"),
    "head tail limit": _PREVIEW,
    "sort sort_values sort_by argsort": Idiom(
        "table.reduce(values=pw.reducers.sorted_tuple(table.a))", f"{_NO_ORDER}; to have all values in order:"
    ),
    "explode": Idiom("table.flatten(table.words)"),
    "shift diff cumsum cum_sum rolling over rank ewm": Idiom(
        "table.groupby(table.b, sort_by=table.a).reduce(table.b, values=pw.reducers.tuple(table.a))", _OVER_TIME
    ),
    "len length": Idiom("table.text.str.len()"),
    "contains": Idiom('table.text.str.find("x") >= 0'),
    "format": Idiom('"a is " + table.a.to_string()'),
    "list arr struct json": Idiom('table.doc["n"].as_int()', "members and elements are taken with brackets:"),
    "keys items": Idiom("pw.apply(lambda document: sorted(document.as_dict()), table.doc)"),
}

TEXT: Group = {
    "contains": Idiom('table.text.str.find("x") >= 0'),
    "split": Idiom("pw.apply_with_type(str.split, list[str], table.text)"),
    "cat concat": Idiom('table.text + "!"'),
    "join": Idiom('pw.apply(lambda words: " ".join(words), table.words)'),
    "to_uppercase to_upper uppercase": Idiom("table.text.str.upper()"),
    "to_lowercase to_lower lowercase casefold": Idiom("table.text.str.lower()"),
    "to_titlecase capitalize": Idiom("table.text.str.title()"),
    "starts_with": Idiom('table.text.str.startswith("x")'),
    "ends_with": Idiom('table.text.str.endswith("x")'),
    "strip_chars trim lstrip rstrip": Idiom("table.text.str.strip()"),
    "strip_prefix": Idiom('table.text.str.removeprefix("x")'),
    "strip_suffix": Idiom('table.text.str.removesuffix("x")'),
    "len_chars len_bytes length": Idiom("table.text.str.len()"),
    "replace_all": Idiom('table.text.str.replace("x", "y")'),
    "to_integer to_int int": Idiom("table.text.str.parse_int()"),
    "to_float to_decimal float": Idiom("table.text.str.parse_float()"),
    "to_datetime to_date strptime": Idiom('table.text.dt.strptime("%Y-%m-%d")'),
    "head get": Idiom("table.text.str.slice(0, 3)"),
    "extract match fullmatch findall extract_all zfill pad center ljust rjust isdigit isalpha encode decode": Idiom(
        "pw.apply_with_type(str.isdigit, bool, table.text)", "any function of Python can be applied:"
    ),
}

DATE: Group = {
    "total_seconds": Idiom("(table.when - table.when).dt.seconds()"),
    "total_days": Idiom("(table.when - table.when).dt.days()"),
    "dayofweek day_of_week": Idiom("table.when.dt.weekday()"),
    "tz_localize replace_time_zone": Idiom('table.when.dt.to_utc("Europe/Warsaw")'),
    "tz_convert convert_time_zone": Idiom(
        'table.when.dt.to_utc("UTC").dt.to_naive_in_timezone("Europe/Warsaw")', "of a moment in UTC:"
    ),
    "truncate date normalize": Idiom('table.when.dt.floor("1D")'),
    "to_string isoformat": Idiom('table.when.dt.strftime("%Y-%m-%dT%H:%M:%S")'),
    "day_name month_name": Idiom('table.when.dt.strftime("%A")'),
    "epoch": Idiom('table.when.dt.timestamp(unit="s")'),
    "offset_by": Idiom("table.when + pw.Duration(days=1)"),
}

NUMBER: Group = {
    "fillna fill_null fill_nan": Idiom("table.maybe.num.fill_na(0)"),
    "floor ceil trunc": Idiom("pw.cast(int, table.a / 3)", "cuts off; any other function of Python with pw.apply:"),
    "sqrt log exp sin cos tan": Idiom(
        "pw.apply(lambda value: value**0.5, table.a)", "any function of Python can be applied:"
    ),
}

REDUCERS: Group = {
    "mean average": Idiom("pw.reducers.avg(table.a)"),
    "median std var quantile mode": Idiom(
        "pw.apply(lambda values: values[len(values) // 2], pw.reducers.sorted_tuple(table.a))",
        "any function of Python can be applied to all values:",
    ),
    "list array array_agg collect_list implode values group_concat string_agg concat": Idiom(
        "pw.reducers.tuple(table.a)"
    ),
    "set collect_set": Idiom("pw.apply(lambda values: tuple(set(values)), pw.reducers.sorted_tuple(table.a))"),
    "first": Idiom("pw.reducers.earliest(table.a)"),
    "last": Idiom("pw.reducers.latest(table.a)"),
    "nunique n_unique distinct countDistinct approx_count_distinct": Idiom("pw.reducers.count_distinct(table.a)"),
    "len size": Idiom("pw.reducers.count()"),
    "idxmax": Idiom("pw.reducers.argmax(table.a)"),
    "idxmin": Idiom("pw.reducers.argmin(table.a)"),
    "total": Idiom("pw.reducers.sum(table.a)"),
    "any_value": Idiom("pw.reducers.any(table.a)"),
}

MODULE: Group = {
    "DataFrame LazyFrame from_pandas from_dataframe": Idiom("pw.debug.table_from_pandas(frame)"),
    "from_dicts from_dict from_records createDataFrame": Idiom(
        "pw.debug.table_from_rows(pw.schema_from_types(a=int), [(1,), (2,)])"
    ),
    "read_csv scan_csv": Idiom('pw.io.csv.read("data.csv", schema=Rows, mode="static")'),
    "read_json read_ndjson scan_ndjson": Idiom('pw.io.jsonlines.read("data.jsonl", schema=Rows, mode="static")'),
    "read_parquet scan_parquet": Idiom('pw.debug.table_from_parquet("data.parquet")'),
    "read_sql read_database": Idiom('pw.io.sqlite.read("data.sqlite", "rows", Rows, mode="static")'),
    "concat union": Idiom('table[["a", "b"]].concat_reindex(other)'),
    "merge": Idiom("pw.join(table, other, table.b == other.b).select(table.a)"),
    "col": Idiom("table.select(c=pw.this.a + 1)"),
    "lit": Idiom("table.select(c=7)", "a value is a constant as it is:"),
    "when": Idiom('table.select(c=pw.if_else(table.a > 1, "many", "few"))'),
    "count sum mean avg min max": Idiom(_SUM.code, "reducers are in pw.reducers:"),
    "to_datetime": Idiom('table.text.dt.strptime("%Y-%m-%d")'),
    "Timestamp datetime": Idiom("pw.DateTimeNaive(2026, 11, 30)", "without a zone, or pw.DateTimeUtc with one:"),
    "Timedelta timedelta": Idiom("pw.Duration(days=1)"),
    "Field Column column field": Idiom("pw.column_definition(default_value=0)", "to say more of a column of a schema:"),
    "print show compute_and_print": Idiom("pw.debug.compute_and_print(table)"),
    "table_from_markdown": Idiom('pw.debug.table_from_markdown("a\\n1")'),
    "table_from_pandas": Idiom("pw.debug.table_from_pandas(frame)"),
    "table_from_rows": Idiom("pw.debug.table_from_rows(pw.schema_from_types(a=int), [(1,)])"),
    "table_to_pandas to_pandas": Idiom("pw.debug.table_to_pandas(table)"),
    "subscribe": Idiom("pw.io.subscribe(table, lambda key, row, time, is_addition: print(row))"),
    "ConnectorSubject": Idiom("pw.io.python.ConnectorSubject"),
    "AwsS3Settings": Idiom('pw.io.s3.AwsS3Settings(bucket_name="orders")'),
    "map": Idiom("table.select(c=pw.apply(str, table.a))"),
    "SQLContext SparkSession Session StreamExecutionEnvironment": Idiom(
        "pw.run()", "no session is needed; what was declared runs with"
    ),
    "execute compute collect": Idiom("pw.run()"),
}

CONNECTORS: Group = {
    "json ndjson": Idiom('pw.io.jsonlines.read("data.jsonl", schema=Rows, mode="static")'),
    "txt text lines": Idiom('pw.io.plaintext.read("data.txt", mode="static")'),
    "file files filesystem": Idiom('pw.io.fs.read("data.txt", format="plaintext", mode="static")'),
    "parquet": Idiom('pw.debug.table_from_parquet("data.parquet")'),
    "pandas": Idiom("pw.debug.table_from_pandas(frame)"),
    "sql database": Idiom('pw.io.sqlite.read("data.sqlite", "rows", Rows, mode="static")'),
    "console print": Idiom("pw.io.subscribe(table, lambda key, row, time, is_addition: print(row))"),
    "read_csv": Idiom('pw.io.csv.read("data.csv", schema=Rows, mode="static")'),
    "websocket websockets": Idiom(
        "pw.io.python.ConnectorSubject", "a class of yours with a method run() brings in anything:"
    ),
}

# The tables by the kind of what is asked. What the page calls each, and what stands before a name there.
KINDS: dict[str, tuple[str, str, Group]] = {
    "table": ("Tables", ".", TABLE),
    "column": ("Columns", ".", COLUMN),
    "text": ("Texts", ".str.", TEXT),
    "date": ("Dates and durations", ".dt.", DATE),
    "number": ("Numbers", ".num.", NUMBER),
    "reducers": ("Reducers", "", REDUCERS),
    "module": ("The package", "", MODULE),
    "connectors": ("Connectors", "", CONNECTORS),
}


def find(kind: str, name: str) -> Idiom | None:
    """What is written here for a name of another library; None if it is no such name."""
    if kind not in KINDS:
        return None
    return next((idiom for names, idiom in KINDS[kind][2].items() if name in names.split()), None)
