#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzzers with clang 19 and runs each for a while, from the seeds in fuzz/corpus (written by hand) and
# fuzz/grown (what earlier runs found, minimised by -merge=1), as many at a time as there are CPUs. A finding fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
export root

readonly targets=(sip_message_fuzz sdp_session_fuzz frame_fuzz tcp_stream_fuzz mime_fuzz fragments_fuzz decision_fuzz
    channel_fuzz api_fuzz credentials_fuzz)
readonly build=build/fuzz

usage() {
    cat <<TEXT
usage: ./run fuzz [--quick | --seconds N]

  --quick       five minutes for all ${#targets[@]} fuzzers together
  --seconds N   N seconds for each (600)

Findings, logs and grown corpora are left in $build.
TEXT
}

seconds=600
jobs=$(nproc)
case "${1:-}" in
'') ;;
--quick) seconds=$((300 * jobs / ${#targets[@]})) ;;
--seconds)
    seconds=${2:-}
    if ! [[ $seconds =~ ^[1-9][0-9]{0,5}$ ]]; then
        echo "fuzz: --seconds wants a number from 1 to 999999, not '$seconds'" >&2
        exit 2
    fi
    ;;
-h | --help)
    usage
    exit 0
    ;;
*)
    echo "fuzz: no option '$1' (see ./run fuzz --help)" >&2
    exit 2
    ;;
esac

# shellcheck disable=SC2317 # xargs calls it
fuzz() {
    local target=$1 seconds=$2 build=$3
    local grown=$build/corpus/$target log=$build/$target.log
    if ! [ -d "$grown" ]; then # begins with what earlier runs have found
        mkdir -p "$grown"
        (cd "$grown" && cmake -E tar xf "$root/fuzz/grown/${target%_fuzz}.tar.xz")
    fi
    echo "== $target, $seconds seconds" >&2
    if ! "$build/bin/$target" -max_total_time="$seconds" -max_len=8192 -artifact_prefix="$build/$target-" \
        -print_final_stats=1 "$grown" "fuzz/corpus/${target%_fuzz}" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "$target: FAILED (all of it in $log)"
        return 1
    fi
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs without a finding"
}
export -f fuzz

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${targets[@]}"
failed=0
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I {} bash -c 'fuzz {} "$@"' fuzz "$seconds" "$build" || failed=1
[ "$failed" -eq 0 ] && echo "${#targets[@]} fuzzers, no finding"
exit "$failed"
