"""Tables and what makes tables of them: the graph they belong to, the sets of their keys, columns, rows, groups, joins,
rows that pointers point to."""
