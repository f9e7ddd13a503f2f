"""Joins, groups and reducers. Lines with `# error` have a mistake that type checkers must see."""

import pathway as pw

pets = pw.debug.table_from_markdown("pet | owner | age\nRex | Bob | 3")
people = pw.debug.table_from_markdown("name | town\nBob | Bath")

pairs = pets.join(people, pets.owner == people.name)
lived = pairs.select(pets.pet, people.town, old=pets.age > 10)
kept = pets.join_left(people, pw.left.owner == pw.right.name, id=pets.id).select(*pw.left, pw.right.town)
several = pets.join(people, pets.owner == people.name, how=pw.JoinMode.OUTER).filter(pw.left.age.is_not_none())
counted = lived.groupby(lived.town).reduce(lived.town, n=pw.reducers.count(), oldest=pw.reducers.argmax(lived.old))
total = pets.reduce(total=pw.reducers.sum(pets.age), names=pw.reducers.sorted_tuple(pets.pet))
shares = pets.select(pets.pet, share=pets.age / total.ix_ref().total)
grouped: pw.GroupedTable = pets.groupby(pw.this.owner, sort_by=pw.this.age)
result: pw.Table = grouped.reduce(pw.this.owner, pets=pw.reducers.tuple(pw.this.pet))

pets.merge(people)  # error
pets.group_by(pets.owner)  # error
pets.groupby(pets.owner).agg(n=1)  # error
pets.groupby(pets.owner).sum()  # error
pairs.slect(pets.pet)  # error
pairs.with_columns(x=1)  # error
pets.join(people, pets.owner == people.name, how="left")  # error
pets.join(people, pets.owner == people.name, left_instanc=pets.owner)  # error
pets.join_left(people, pets.owner == people.name, idd=pets.id)  # error
pw.reducers.mean(pets.age)  # error
pw.reducers.sums(pets.age)  # error
pw.reducers.tuple(pets.age, skip_none=True)  # error
unreached: int = "checked, too"  # error

pw.debug.compute_and_print(counted, kept, shares, result, several.select(pw.left.pet))
