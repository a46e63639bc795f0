#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Judges the sources: format, shellcheck, or tidy, of a tree that is built in build/release. As a test it runs at
# the lowest priority, beside those that mostly wait.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly build=build/release

# Skips the test where a tool is missing; ./run test and ./run lint install them.
needs() {
    command -v "$1" >/dev/null || {
        echo "$1 is not installed: ./run lint installs it"
        exit 77
    }
}

format() {
    needs clang-format-19
    local -a code
    mapfile -t code < <(git ls-files '*.c' '*.h' '*.cpp')
    clang-format-19 --dry-run -Werror "${code[@]}"
    echo "clang-format: ${#code[@]} files"
}

shells() {
    needs shellcheck
    local -a scripts
    mapfile -t scripts < <(git ls-files run '.ci/*' '*.sh')
    shellcheck "${scripts[@]}"
    echo "shellcheck: ${#scripts[@]} files"
}

# The product and what the tests stand on; a defect in a test shows itself by failing it.
# -w: the compiler's own warnings are errors in the build already, and are GCC's to give.
tidy() {
    needs run-clang-tidy-19
    local -a units
    mapfile -t units < <(git ls-files 'lib/*.cpp' 'ctl/*.cpp' 'sm/*.cpp' 'lab/*.cpp' 'demo/*.cpp')
    nice -n 19 run-clang-tidy-19 -p "$build" -quiet -j "$(nproc)" -extra-arg=-w \
        "${units[@]/#/$PWD/}" >"$build/clang-tidy.log" 2>&1 || {
        grep -E '(warning|error):' "$build/clang-tidy.log" | sort -u >&2 || cat "$build/clang-tidy.log" >&2
        echo "clang-tidy found defects (all of it in $build/clang-tidy.log)" >&2
        return 1
    }
    echo "clang-tidy: ${#units[@]} files"
}

case "${1:-}" in
format) format ;;
shellcheck) shells ;;
tidy) tidy ;;
*)
    echo "usage: tests/lint.sh format|shellcheck|tidy" >&2
    exit 2
    ;;
esac
