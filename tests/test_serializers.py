"""Objects of the user's with serializers of their own, also where they go to another process."""

from __future__ import annotations

import json
import pathlib
import pickle
import sys
from typing import Any

import pathway as pw
import pytest

from tests.processes import free_ports, pathway


class Reversed:
    """A serializer as an object: pickle backwards."""

    def dumps(self, value: object) -> bytes:
        return pickle.dumps(value)[::-1]

    def loads(self, data: bytes) -> Any:
        return pickle.loads(data[::-1])


class AsClass:
    """A serializer as a class."""

    @staticmethod
    def dumps(value: object) -> bytes:
        return json.dumps(value).encode()

    @staticmethod
    def loads(data: bytes) -> Any:
        return json.loads(data)


@pytest.mark.parametrize("serializer", [None, pickle, Reversed(), AsClass])
def test_an_object_is_made_again_with_its_serializer(serializer: Any) -> None:
    wrapped = pw.wrap_py_object([1, {"a": None}], serializer=serializer)
    again = pickle.loads(pickle.dumps(wrapped))
    assert again == wrapped
    assert again._dumps() == wrapped._dumps()


def test_a_serializer_that_cannot_be_found_says_so() -> None:
    wrapped = pw.wrap_py_object([1], serializer=type(sys)("a_module_that_is_nowhere"))
    with pytest.raises(AttributeError, match="dumps"):
        pickle.dumps(wrapped)


@pytest.mark.one_process("the processes are started by the test")
def test_a_module_as_serializer_crosses_processes(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "main.py"
    script.write_text("""
import os
import pickle
import pathway as pw

@pw.udf
def wrap(number: int) -> pw.PyObjectWrapper:
    return pw.wrap_py_object([number], serializer=pickle)

@pw.udf
def unwrap(wrapped: pw.PyObjectWrapper) -> int:
    return wrapped.value[0]

class Number(pw.Schema):
    number: int

numbers = pw.debug.table_from_rows(Number, [(number,) for number in range(100)])
wrapped = numbers.select(numbers.number, wrapped=wrap(numbers.number))
joined = numbers.join(wrapped, numbers.number == wrapped.number).select(again=unwrap(wrapped.wrapped))
# In one piece: both processes print.
os.write(1, f"{pw.debug.table_to_pandas(joined)['again'].sum()}\\n".encode())
""")
    done = pathway("spawn", "-n", 2, "--first-port", free_ports(2), sys.executable, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["4950", "4950"]
