"""A program over tables, as people write them. Lines with `# error` have a mistake that type checkers must see."""

import pathway as pw


class Passage(pw.Schema):
    boat: int = pw.column_definition(primary_key=True)
    lock: str
    length: float


passages = pw.io.csv.read("passages.csv", schema=Passage, mode="static")
long = passages.filter(passages.length > 15.0)
named = long.select(long.boat, pw.this.lock, tons=long.length * 2, first=passages["lock"].str.lower())
more = named.with_columns(heavy=named.tons > 40).without("first").rename({"tons": "weight"})
again = more.with_columns(weight=pw.if_else(more.heavy, more.weight, 0.0))
both = again.update_cells(again.select(weight=1.0))
part, rest = both.split(both.heavy)
everything = part.concat(rest)[["boat", "weight"]]
keyed = everything.with_id_from(everything.boat)
found = keyed.select(keyed.boat, lock=passages.ix(passages.pointer_from(keyed.boat)).lock)
names: list[str] = found.column_names()
key: pw.ColumnReference = found.id
column: pw.ColumnReference = found.boat

passages.filtre(passages.length > 15.0)  # error
passages.selct(passages.boat)  # error
after: int = "this line is reached, and checked"  # error
passages.head()  # error
passages.with_column(x=1)  # error
passages.to_pandas()  # error
long.filter(long.boat > 1).selct(long.boat)  # error
pw.this.filter(pw.this.boat > 1)  # error
passages.tons = passages.length * 2  # error
passages["tons"] = passages.length * 2  # error
del passages["length"]  # error
len(passages)  # error
passages.filter(passages.length > 15.0, 3)  # error
found.column_names().add("x")  # error
pw.Table.emtpy(a=int)  # error

pw.debug.compute_and_print(found)
