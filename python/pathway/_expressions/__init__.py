"""What columns are computed from, before it is known which columns: expressions and the functions in them."""
