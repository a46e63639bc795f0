#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzzers with clang 19 and runs each for a while, from the seeds in fuzz/corpus. A finding fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=600
case "${1:-}" in
'') ;;
--quick) seconds=60 ;;
-h | --help)
    echo "usage: ./run fuzz [--quick]   a minute for each fuzzer instead of ten; findings are left in build/fuzz"
    exit 0
    ;;
*)
    echo "fuzz: no option '$1' (see ./run fuzz --help)" >&2
    exit 2
    ;;
esac

readonly targets=(sip_message_fuzz sdp_session_fuzz frame_fuzz tcp_stream_fuzz mime_fuzz fragments_fuzz decision_fuzz
    channel_fuzz api_fuzz)
readonly build=build/fuzz
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${targets[@]}"
failed=0
for target in "${targets[@]}"; do
    program=$(find "$build" -type f -name "$target" -perm -u+x | head -n 1)
    grown=$build/corpus/$target
    mkdir -p "$grown"
    echo "== $target, $seconds seconds" >&2
    "$program" -max_total_time="$seconds" -max_len=8192 -artifact_prefix="$build/$target-" -print_final_stats=1 \
        "$grown" "fuzz/corpus/${target%_fuzz}" >"$build/$target.log" 2>&1 || {
        failed=$((failed + 1))
        tail -n 40 "$build/$target.log" >&2
    }
    grep -E 'number_of_executed_units' "$build/$target.log" || true
done
echo "$((${#targets[@]} - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
