"""What is known of the columns of a table before there is one: names, types, keys, defaults."""
