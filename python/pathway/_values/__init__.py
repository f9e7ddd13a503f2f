"""What a value is in Python: types and their annotations, JSON, dates, objects."""
