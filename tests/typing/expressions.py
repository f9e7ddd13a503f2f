"""Expressions. Lines with `# error` have a mistake that type checkers must see.

What has `# error: pyright` is seen by pyright alone: for mypy, anything is a condition.
"""

import math

import pathway as pw

table = pw.debug.table_from_markdown("a | b | text\n1 | 2 | x")

sums = table.select(x=table.a + table.b * 2, y=-table.a, z=(table.a > 1) & ~(table.b < 2), w=2**table.a)
texts = table.select(up=table.text.str.upper(), both="a is " + table.a.to_string(), n=table.text.str.len())
dates = table.select(when=table.text.dt.strptime("%Y-%m-%d").dt.floor("1h"), half=(table.a / 2).num.round(1))
choice = table.select(kind=pw.if_else(table.a > 1, "many", "few"), some=pw.coalesce(table.b, 0))
whole = table.select(n=pw.cast(int, table.text), j=pw.declare_type(float, table.a), t=pw.make_tuple(table.a, 1)[0])
applied = table.select(root=pw.apply(math.sqrt, table.a), typed=pw.apply_with_type(str, str, table.a))
shown: str = str(table.a) + repr(table.b)
condition: pw.ColumnExpression = table.a == 1

table.a.fillna(0)  # error
table.a.astype(int)  # error
table.a.alias("x")  # error
table.text.upper()  # error
table.text.str.uper()  # error
table.text.str.contains("x")  # error
table.text.dt.hourr()  # error
table.a.num.sqrt()  # error
table.a(1)  # error
(table.a + 1)(2)  # error
len(table.a)  # error
for value in table.a:  # error
    print(value)
int(table.a)  # error
math.sqrt(table.a)  # error
reached: int = "checked, too"  # error

if table.a > 1:  # error: pyright
    inside: int = "checked, too"  # error
nothing = not table.a  # error: pyright
below = table.a > 1 and table.b > 2
after: int = "checked, too"  # error

pw.debug.compute_and_print(sums, texts, dates, choice, whole, applied)
