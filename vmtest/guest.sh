#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs as root inside the virtual machine: guest.sh OUT PROGRAMS FILTER CALL(yes|no)
# OUT is shared with the host and writable, all else of the host's files is read-only or a throw-away overlay.
# Facts for run.sh go to OUT/facts as "KEY VALUE"; what is printed here is shown as progress.
set -uo pipefail
out=$1 programs=$2 filter=$3 call=$4

note() { echo "$1 $2" >>"$out/facts"; }

release=$(uname -r)
note release "$release"
echo "$release is up"
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
ulimit -n 65536 # the suite keeps a data plane for each set of modules

echo "data plane tests ($filter)"
started=$SECONDS
"$programs/data_plane_test" --gtest_color=no --gtest_filter="$filter" 2>&1 | tee "$out/progrun.log" |
    sed -u -n -E -e 's/^\[-+\] ([0-9]+ tests? from [^ ]+) (\(.* total\))$/  \1 \2/p' -e '/^\[  FAILED  \] [^ ]+ \(/p'
note progrun_status "${PIPESTATUS[0]}"
note progrun_seconds $((SECONDS - started))

echo "verifier budget"
cp bpf/verifier-budget.csv "$out/verifier-budget.csv"
"$programs/stem-verifier-budget" >"$out/budget.log" 2>&1
note budget_status $?
"$programs/stem-verifier-budget" --update --file "$out/verifier-budget.csv" >>"$out/budget.log" 2>&1
note budget_instructions "$(sed -n -E 's/.* ([0-9]+) instructions.*/\1/p' "$out/budget.log" | sort -n | tail -n 1)"

if [ "$call" = yes ]; then
    echo "real calls through STEM as a bridge"
    started=$SECONDS
    "$programs/stem-demo" --mode bridge --only talk same_port --json >"$out/call.json" 2>"$out/call.log"
    note call_status $?
    note call_seconds $((SECONDS - started))
    grep -oE '"family":"[^"]*"|"claim":"[^"]*"|"held":(true|false)' "$out/call.json" | cut -d: -f2 | tr -d '"' |
        paste -d ' ' - - - | sed 's/^/  /; s/ true$/: holds/; s/ false$/: DOES NOT HOLD/'
fi
dmesg >"$out/dmesg.log" 2>/dev/null
echo "done"
