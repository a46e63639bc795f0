// SPDX-License-Identifier: Apache-2.0
// Skips (exit 77) without root or BPF; after a whole run, checks that no reason was left out.
#include "data_plane.h"
#include "network.h"
#include "verdict.h"

#include <stem/reason.h>

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <set>
#include <string>

namespace {

constexpr int exit_skipped = 77;

// Empty, or why nothing can run here.
std::string obstacle() {
    if (geteuid() != 0) {
        return "needs root: BPF programs, AF_XDP and network namespaces";
    }
    if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, nullptr) != 1) {
        return "this kernel loads no XDP programs";
    }
    try {
        stem::test::TestNetwork::get();
    } catch (const std::exception& error) {
        return fmt::format("no network namespace of its own: {}", error.what());
    }
    return {};
}

// Budgets of events are each CPU's own: a test that counts them must not be moved to another.
void stay_on_this_cpu() {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(static_cast<unsigned>(std::max(sched_getcpu(), 0)), &here);
    sched_setaffinity(0, sizeof(here), &here);
}

// The data plane's reasons are 1 to 99; each must have been some packet's.
int reasons_missing() {
    int missing = 0;
    for (const stem::ReasonInfo& info : stem::reasons()) {
        const bool of_stemd = info.reason >= 100 || info.reason == STEM_SIP_UNKNOWN_QUEUE;
        if (of_stemd || stem::test::reasons_seen().contains(info.reason)) {
            continue;
        }
        const auto& out_of_reach = stem::test::reasons_out_of_reach();
        if (const auto cause = out_of_reach.find(info.reason); cause != out_of_reach.end()) {
            fmt::print(stderr, "not tested here: {} ({}): {}\n", info.label,
                       static_cast<unsigned>(info.reason), cause->second);
        } else {
            fmt::print(stderr, "no test made the data plane say {} ({})\n", info.label,
                       static_cast<unsigned>(info.reason));
            missing++;
        }
    }
    return missing;
}

} // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    libbpf_set_print([](libbpf_print_level level, const char* format, va_list arguments) {
        return level == LIBBPF_WARN ? std::vfprintf(stderr, format, arguments) : 0;
    });
    if (const std::string why = obstacle(); !why.empty()) {
        fmt::print(stderr, "skipped: {}\n", why);
        return exit_skipped;
    }
    stay_on_this_cpu();
    const bool whole = testing::GTEST_FLAG(filter) == "*" && !testing::GTEST_FLAG(list_tests);
    const int failed = RUN_ALL_TESTS();
    return failed != 0 || (whole && reasons_missing() != 0) ? 1 : 0;
}
