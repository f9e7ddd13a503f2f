"""What a process reads of its environment about the others that it works with."""

import os
from typing import Any

import pytest
from pathway._ground import environment


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the variables about threads and processes to these, and unsets all others."""

    def take(**values: str) -> None:
        for name in list(os.environ):
            if name.startswith("PATHWAY_"):
                monkeypatch.delenv(name)
        for name, value in values.items():
            monkeypatch.setenv(f"PATHWAY_{name}", value)

    return take


def test_a_process_that_works_alone(variables: Any) -> None:
    for values in ({}, {"PROCESSES": "1"}, {"ADDRESSES": "a:1", "PROCESS_ID": "0"}, {"PROCESSES": "", "ADDRESSES": ""}):
        variables(**values)
        assert environment.cluster() is None


def test_a_process_of_several(variables: Any) -> None:
    variables(PROCESSES="2", PROCESS_ID="1", CLUSTER_SECRET="s")
    assert environment.cluster() == environment.Cluster(
        2, 1, ["127.0.0.1:10000", "127.0.0.1:10001"], secret="s", timeout=30, silence=20, run_id=None
    )
    variables(
        ADDRESSES="a:1, [::1]:2,b:3",
        PROCESS_ID="0",
        CLUSTER_SECRET="hidden",
        CLUSTER_TIMEOUT="2.5",
        CLUSTER_SILENCE="1e3",
        RUN_ID="r",
        FIRST_PORT="x",
    )
    cluster = environment.cluster()
    assert cluster == environment.Cluster(
        3, 0, ["a:1", "[::1]:2", "b:3"], secret="hidden", timeout=2.5, silence=1000, run_id="r"
    )
    assert "hidden" not in repr(cluster)
    assert [environment.host_and_port(address) for address in cluster.addresses] == [("a", 1), ("::1", 2), ("b", 3)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"PROCESSES": "0"}, "PATHWAY_PROCESSES has to be above zero, found 0"),
        ({"PROCESSES": "two"}, "PATHWAY_PROCESSES has to be a whole number, found 'two'"),
        (
            {"PROCESSES": "", "PROCESS_ID": "1"},
            "PATHWAY_PROCESS_ID is 1, but there is only one process: set PATHWAY_PR",
        ),
        ({"PROCESSES": "1", "PROCESS_ID": "7"}, "PATHWAY_PROCESS_ID is 7, but there is only one process"),
        ({"PROCESS_ID": "2"}, "PATHWAY_PROCESS_ID has to be from 0 to 1, .* found 2"),
        ({"PROCESS_ID": "-1"}, "PATHWAY_PROCESS_ID has to be from 0 to 1, .* found -1"),
        ({"PROCESS_ID": ""}, "PATHWAY_PROCESS_ID has to be from 0 to 1, .* not set"),
        (
            {"CLUSTER_SECRET": "", "ADDRESSES": "127.0.0.1:1,b:1"},
            "PATHWAY_CLUSTER_SECRET has to be .* several machines",
        ),
        ({"FIRST_PORT": "65535"}, "PATHWAY_FIRST_PORT: 2 ports from 65535"),
        ({"FIRST_PORT": "0"}, "PATHWAY_FIRST_PORT: 2 ports from 0"),
        ({"ADDRESSES": "a:1"}, "PATHWAY_ADDRESSES and PATHWAY_PROCESSES differ: 1 address for 2 processes"),
        ({"ADDRESSES": "a:1,b"}, "PATHWAY_ADDRESSES: 'b' is not an address of the form host:port"),
        ({"ADDRESSES": "a:1,:2"}, "PATHWAY_ADDRESSES: ':2' is not an address of the form host:port"),
        ({"ADDRESSES": "a:1,"}, "PATHWAY_ADDRESSES: '' is not an address of the form host:port"),
        ({"ADDRESSES": "a:1,::1:2"}, "PATHWAY_ADDRESSES: '::1:2' is not .* needs brackets"),
        ({"ADDRESSES": "a:1,b:65536"}, "PATHWAY_ADDRESSES: 'b:65536': the port has to be a number from 1 to 65535"),
        ({"ADDRESSES": "a:1,b:+2"}, "PATHWAY_ADDRESSES: 'b:\\+2': the port has to be a number"),
        ({"ADDRESSES": "a:1,a:1"}, "PATHWAY_ADDRESSES: a:1 is there twice"),
        ({"CLUSTER_TIMEOUT": "0"}, "PATHWAY_CLUSTER_TIMEOUT has to be a number of seconds above zero, .* found '0'"),
        ({"CLUSTER_TIMEOUT": "soon"}, "PATHWAY_CLUSTER_TIMEOUT .* found 'soon'"),
        ({"CLUSTER_TIMEOUT": "nan"}, "PATHWAY_CLUSTER_TIMEOUT .* found 'nan'"),
        ({"CLUSTER_SILENCE": "0"}, "PATHWAY_CLUSTER_SILENCE has to be a number of seconds above zero, .* found '0'"),
        ({"CLUSTER_TIMEOUT": "1e30"}, "PATHWAY_CLUSTER_TIMEOUT .* at most 31536000, found '1e30'"),
    ],
)
def test_an_environment_that_makes_no_cluster(variables: Any, values: dict[str, str], message: str) -> None:
    variables(**{"PROCESSES": "2", "PROCESS_ID": "1", "CLUSTER_SECRET": "s", **values})
    with pytest.raises(ValueError, match=message):
        environment.cluster()


@pytest.mark.parametrize("number", ["0", "1025", "99999999"])
def test_a_number_of_threads_that_cannot_be_meant(variables: Any, number: str) -> None:
    variables(THREADS=number)
    with pytest.raises(ValueError, match=f"PATHWAY_THREADS .* found {number}"):
        environment.threads()


@pytest.mark.parametrize("start", ["-1", str(2**64 - 1)])
def test_a_start_that_is_no_time(variables: Any, start: str) -> None:
    variables(START_TIMESTAMP_MS=start)
    with pytest.raises(ValueError, match=f"PATHWAY_START_TIMESTAMP_MS .* in milliseconds since 1970, .* found {start}"):
        environment.start_timestamp()
