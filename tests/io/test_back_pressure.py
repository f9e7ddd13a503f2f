"""A source that is faster than a sink waits for it, and memory stays flat."""

import json
import subprocess
import sys
import textwrap

PROGRAM = """
    import json
    import resource
    import sys
    import time

    import pathway as pw

    LIMIT = {limit}
    settings = {{"max_backlog_size": LIMIT}} if {explicit} else {{}}


    class Fast(pw.io.python.ConnectorSubject):
        pushed = 0

        def run(self):
            for number in range(10_000_000):
                self.next(number=number, text="a text that is a little longer")
                self.pushed = number + 1


    class Schema(pw.Schema):
        number: int
        text: str


    class Enough(Exception):
        pass


    def memory():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


    subject = Fast()
    table = pw.io.python.read(subject, schema=Schema, **settings)
    delivered = 0
    result = {{}}
    start = memory()


    def slow(key, row, time, is_addition):
        global delivered
        delivered += 1
        # The source fills everything there is, while this sink holds on to its first row.
        while delivered == 1 and subject.pushed < LIMIT * 8 // 10:
            sleep(0.001)
        sleep(0.001)
        if delivered == 1000:
            result.update(pushed=subject.pushed, delivered=delivered, growth=memory() - start)
            raise Enough


    sleep = time.sleep
    pw.io.subscribe(table, on_change=slow)
    try:
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    except Enough:
        pass
    print(json.dumps(result))
"""


def run(limit: int, explicit: bool) -> dict[str, int]:
    program = textwrap.dedent(PROGRAM).format(limit=limit, explicit=explicit)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_ten_million_rows_against_a_slow_sink_take_no_more_memory_than_the_default_backlog() -> None:
    result = run(limit=1 << 20, explicit=False)
    assert result["delivered"] == 1000
    assert result["pushed"] < (1 << 20) + 100_000
    assert result["growth"] < 200


def test_a_backlog_of_a_given_size_is_what_is_in_flight() -> None:
    result = run(limit=20_000, explicit=True)
    assert result["pushed"] < 20_000 + 10_000
    assert result["growth"] < 60
