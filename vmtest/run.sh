#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Boots Debian's stock kernels in virtual machines that share this machine's files, and runs guest.sh in each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly work=$PWD/build/vmtest
readonly programs=build/release/bin
readonly all_series=(6.1 6.12)
reason= # why the last function of packages.sh failed
virtme= # where it unpacked virtme-ng
kernel= # the kernel image that it found last
# shellcheck source=vmtest/packages.sh
. vmtest/packages.sh

usage() {
    cat <<'TEXT'
usage: ./run vmtest [options]

Runs the data plane's tests and real calls under Debian's stock kernels, each in a virtual machine.

  --kernel 6.1|6.12   only this kernel; may be repeated (default: both)
  --filter PATTERN    only these tests, as for --gtest_filter (default: all)
  --no-call           without the real calls
  --timeout SECONDS   for all that one kernel does, booting too (default: 1500)
  --kvm               with the processor's virtualisation; default: software, which is slow but works anywhere
  --json              the summary as JSON on standard output; what happens goes to standard error
  -h, --help          this

Kernels come from Debian's own packages and are unpacked in build/vmtest, never installed; remove that folder
to have newer ones. Logs: build/vmtest/KERNEL/. A kernel that cannot be had is skipped, with the reason.
Exit status: 0 if nothing failed (skipped is not failed: read the summary), 1 if something failed, 2 bad usage.
TEXT
}

usage_error() {
    printf 'vmtest: %s\nSee ./run vmtest --help.\n' "$1" >&2
    exit 2
}

series=()
filter='*'
call=yes
limit=1500
json=
vng_options=(--disable-kvm)
while [ $# -gt 0 ]; do
    option=$1
    shift
    case "$option" in
    --kernel | --filter | --timeout)
        [ $# -gt 0 ] || usage_error "$option needs a value"
        value=$1
        shift
        ;;
    esac
    case "$option" in
    --kernel)
        [[ " ${all_series[*]} " == *" $value "* ]] || usage_error "no kernel '$value'; there are ${all_series[*]}"
        series+=("$value")
        ;;
    --filter)
        [[ $value =~ ^[A-Za-z0-9_.*:?/-]+$ ]] || usage_error "--filter '$value' is no pattern of test names"
        filter=$value
        ;;
    --timeout)
        [[ $value =~ ^[1-9][0-9]{0,5}$ ]] || usage_error "--timeout '$value' is no number of seconds"
        limit=$value
        ;;
    --no-call) call=no ;;
    --kvm) vng_options=() ;;
    --json) json=yes ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) usage_error "no option '$option'" ;;
    esac
done
[ ${#series[@]} -gt 0 ] || series=("${all_series[@]}")

# All but the JSON summary is told on standard error when that is asked for.
exec 3>&1
[ -z "$json" ] || exec 1>&2

machine= # the process that holds the emulator's group
# shellcheck disable=SC2317 # called by the traps
stop_machine() {
    [ -n "$machine" ] || return 0
    kill "$machine" 2>/dev/null || true
    wait "$machine" 2>/dev/null || true
}
trap stop_machine EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# fact FILE KEY: what guest.sh wrote down as "KEY VALUE", empty if it did not come so far.
fact() { { sed -n "s/^$2 //p" "$1" 2>/dev/null || true; } | tail -n 1; }

# Results, by series.
declare -A state reason_of release seconds progrun_passed progrun_failed progrun_skipped progrun_seconds
declare -A budget_state budget_instructions
declare -A call_state call_rows call_held call_seconds

skip() {
    state[$1]=skipped
    reason_of[$1]=$2
}

# Counts of a log in gtest's words.
gtest_count() { { sed -n -E "s/^\[  $2 ?\] ([0-9]+) tests?.*/\1/p" "$1" 2>/dev/null || true; } | tail -n 1; }

# rows FILE PATTERN: how many rows of the demo's JSON have it.
rows() { { grep -oE "\"held\": *$2" "$1" 2>/dev/null || true; } | wc -l; }

read_progrun() {
    local one=$1 log=$2/progrun.log facts=$2/facts
    progrun_passed[$one]=$(gtest_count "$log" 'PASSED ')
    progrun_failed[$one]=$(gtest_count "$log" 'FAILED ')
    progrun_skipped[$one]=$(gtest_count "$log" 'SKIPPED')
    progrun_seconds[$one]=$(fact "$facts" progrun_seconds)
    local status
    status=$(fact "$facts" progrun_status)
    case "$status" in
    0) [ "${progrun_passed[$one]:-0}" -gt 0 ] || problems+=("no test ran") ;;
    '') problems+=("the tests did not end") ;;
    *) problems+=("data_plane_test failed with status $status, ${progrun_failed[$one]:-0} tests") ;;
    esac
}

read_budget() {
    local one=$1 facts=$2/facts status
    budget_instructions[$one]=$(fact "$facts" budget_instructions)
    budget_state[$one]=kept
    status=$(fact "$facts" budget_status)
    if [ "$status" != 0 ]; then
        budget_state[$one]=exceeded
        problems+=("stem-verifier-budget ended with ${status:-nothing}")
    fi
}

read_call() {
    local one=$1 log=$2/call.json facts=$2/facts
    call_state[$one]=skipped
    [ "$call" = yes ] || return 0
    call_rows[$one]=$(rows "$log" '(true|false)')
    call_held[$one]=$(rows "$log" true)
    call_seconds[$one]=$(fact "$facts" call_seconds)
    local status
    status=$(fact "$facts" call_status)
    call_state[$one]=failed
    if [ -z "$status" ]; then
        problems+=("the calls did not end")
    elif [ "$status" -ne 0 ]; then
        problems+=("the calls failed with status $status, ${call_held[$one]} of ${call_rows[$one]} rows hold")
    elif [ "${call_rows[$one]}" -eq 0 ]; then
        problems+=("the calls gave no rows")
    else
        call_state[$one]=passed
    fi
}

run_series() {
    local one=$1 out=$work/$1
    local -a problems=()
    echo "== Linux $one"
    have_kernel "$one" || { skip "$one" "$reason" && return; }
    rm -rf "$out"
    mkdir -p "$out"
    echo "   booting $(basename "$kernel") (at most $limit s for everything)"
    local started=$SECONDS status=0
    # In a group of its own, so that a limit or an interrupt takes the emulator with it.
    PATH=$virtme/usr/bin:$PATH PYTHONPATH=$virtme/usr/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1 \
        timeout --kill-after=10 "$limit" vng --run "$kernel" "${vng_options[@]}" --disable-microvm --user root \
        --cpus 2 --memory 6G --cwd "$PWD" --rwdir="$out=$out" \
        --exec "bash vmtest/guest.sh '$out' '$programs' '$filter' '$call'" \
        </dev/null 2>"$out/console.log" > >(tee "$out/guest.log" | sed -u "s/^/   $one: /") &
    machine=$!
    wait "$machine" || status=$?
    machine=
    seconds[$one]=$((SECONDS - started))
    release[$one]=$(fact "$out/facts" release)
    if [ -z "${release[$one]}" ]; then
        problems+=("the kernel did not come up (status $status)")
    else
        [[ ${release[$one]} == "$one".* ]] || problems+=("another kernel came up: ${release[$one]}")
        read_progrun "$one" "$out"
        read_budget "$one" "$out"
        read_call "$one" "$out"
    fi
    [ "$status" -ne 124 ] || problems+=("stopped after $limit s")
    state[$one]=passed
    if [ ${#problems[@]} -gt 0 ]; then
        state[$one]=failed
        reason_of[$one]=$(printf '%s; ' "${problems[@]}")"see ${out#"$PWD"/}"
    fi
}

text_line() {
    local one=$1
    printf 'Linux %-5s %-8s' "$one" "${state[$one]}"
    if [ -n "${release[$one]:-}" ]; then
        printf '%s: progrun %s passed, %s failed, %s skipped' "${release[$one]}" \
            "${progrun_passed[$one]:-0}" "${progrun_failed[$one]:-0}" "${progrun_skipped[$one]:-0}"
        [ "$filter" = '*' ] || printf ' (only %s)' "$filter"
        printf ' in %s s; ' "${progrun_seconds[$one]:-?}"
        printf 'verifier budget %s (%s instructions); ' "${budget_state[$one]:-unknown}" \
            "${budget_instructions[$one]:-?}"
        if [ "$call" = yes ]; then
            printf 'calls %s of %s rows hold in %s s; ' \
                "${call_held[$one]:-0}" "${call_rows[$one]:-0}" "${call_seconds[$one]:-?}"
        else
            printf 'calls skipped (--no-call); '
        fi
        printf 'all %s s' "${seconds[$one]}"
    fi
    [ -z "${reason_of[$one]:-}" ] || printf ' [%s]' "${reason_of[$one]}"
    printf '\n'
}

json_line() {
    local one=$1 reason_text=${reason_of[$1]:-}
    reason_text=${reason_text//\\/\\\\}
    reason_text=${reason_text//\"/\\\"}
    printf '{"kernel": "%s", "release": "%s", "state": "%s", "reason": "%s", "seconds": %d, ' \
        "$one" "${release[$one]:-}" "${state[$one]}" "${reason_text//$'\n'/ }" "${seconds[$one]:-0}"
    printf '"progrun": {"filter": "%s", "passed": %d, "failed": %d, "skipped": %d, "seconds": %d}, ' "$filter" \
        "${progrun_passed[$one]:-0}" "${progrun_failed[$one]:-0}" "${progrun_skipped[$one]:-0}" \
        "${progrun_seconds[$one]:-0}"
    printf '"verifier_budget": {"state": "%s", "instructions": %d}, ' "${budget_state[$one]:-unknown}" \
        "${budget_instructions[$one]:-0}"
    printf '"call": {"state": "%s", "rows": %d, "held": %d, "seconds": %d}}' \
        "${call_state[$one]:-skipped}" "${call_rows[$one]:-0}" "${call_held[$one]:-0}" "${call_seconds[$one]:-0}"
}

mkdir -p "$work"
for one in "${series[@]}"; do
    if have_machine; then
        run_series "$one"
    else
        skip "$one" "$reason"
    fi
done

echo "== summary"
failed=0
for one in "${series[@]}"; do
    text_line "$one"
    [ "${state[$one]}" != failed ] || failed=1
done
if [ -n "$json" ]; then
    {
        printf '{"kernels": ['
        separator=
        for one in "${series[@]}"; do
            printf '%s' "$separator"
            json_line "$one"
            separator=', '
        done
        printf ']}\n'
    } >&3
fi
exit "$failed"
