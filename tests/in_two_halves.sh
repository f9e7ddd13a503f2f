#!/usr/bin/env bash
# Runs the Python tests as two programs at the same time, which is for runs that mostly wait. The first argument is what
# the reports are called, the others are for pytest; PYTHON is the interpreter.
set -u
report=$1
shift
"$PYTHON" -m pytest tests/io "$@" --junitxml="$report-a.xml" > "$report-a.log" 2>&1 &
other=$!
"$PYTHON" -m pytest tests --ignore tests/io "$@" --junitxml="$report-b.xml"
status=$?
wait "$other" || status=1
cat "$report-a.log"
exit "$status"
