"""Names of the package. Lines with `# error` have a mistake that type checkers must see."""

from collections.abc import Callable

import pathway as pw
from pathway import Table, reducers
from pathway.udfs import DiskCache  # error
from pathway.stdlib.temporal import tumbling  # error
from pathway import Tabel  # error


@pw.udf
def shout(text: str) -> str:
    return text.upper() + "!"


@pw.udf(return_type=int, deterministic=True)
def length(text: str) -> int:
    return len(text)


class Add(pw.UDF):
    def __init__(self, amount: int) -> None:
        super().__init__()
        self.amount = amount

    def __wrapped__(self, value: int) -> int:
        return value + self.amount


def counted(words: pw.Table) -> Table:
    loud = words.select(word=shout(words.word), n=length(words.word), m=Add(1)(words.n))
    return loud.groupby(loud.word).reduce(loud.word, total=reducers.sum(loud.n))


step: Callable[[pw.Table], pw.Table] = counted
schema = pw.schema_from_types(word=str, n=int)
result = counted(pw.debug.table_from_rows(schema, [("a", 1)]))
version: str = pw.__version__
moment = pw.DateTimeNaive("2026-11-30") + pw.Duration(days=1)
document = pw.Json({"a": 1})["a"].as_int()

pw.Tabel  # error
pw.iterate(lambda t: t)  # error
pw.read_csv("x")  # error
pw.debug.compute_and_prin(result)  # error
pw.udfs.async_executor()  # error
pw.testing.captur(result)  # error
