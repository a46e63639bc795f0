// SPDX-License-Identifier: Apache-2.0
// stem-verifier-budget: loads the data plane in each mode, asks the kernel what its verifier did, and
// compares that with the record.
#include "verifier_budget.h"

#include <stem/abi/meta.h>

#include <stem.skel.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

namespace {

using stem::test::BudgetRow;

constexpr int exit_exceeded = 1;
constexpr int exit_usage = 2;
constexpr int exit_skipped = 77;
constexpr std::uint32_t log_statistics = 4; // BPF_LOG_STATS
constexpr std::size_t log_length = 1U << 20;

constexpr const char* usage =
    "usage: stem-verifier-budget [--update] [--file FILE]\n"
    "Compares what the kernel's verifier has to do for the data plane with the record\n"
    "(bpf/verifier-budget.csv). --update writes the rows of the running kernel anew.\n"
    "Ends with 0 (within the budget), 1 (above it), 2 (wrong usage) or 77 (no root, or no BPF).\n";

struct ObjectDeleter {
    void operator()(stem_bpf* object) const noexcept { stem_bpf::destroy(object); }
};

// "stack depth 280+96" in the verifier's log.
std::string stack_of(const std::string& log) {
    constexpr std::string_view mark = "stack depth ";
    const auto at = log.rfind(mark);
    if (at == std::string::npos) {
        return "unknown";
    }
    const auto begin = at + mark.size();
    return log.substr(begin, log.find_first_not_of("0123456789+", begin) - begin);
}

struct Subject {
    const char* mode_name;
    stem_mode mode;
    const char* modules_name;
    std::uint32_t modules;
};

// Appends a row for each program; false, and says why, when the kernel refuses.
bool measure(const Subject& subject, const std::string& kernel, std::vector<BudgetRow>& rows) {
    const std::unique_ptr<stem_bpf, ObjectDeleter> object(stem_bpf::open());
    if (!object) {
        fmt::print(stderr, "open the data plane: {}\n", std::strerror(errno));
        return false;
    }
    object->rodata->stem_mode = subject.mode;
    object->rodata->stem_modules = subject.modules;
    object->rodata->stem_failsafe_udp = 1;
    const std::vector<bpf_program*> programs = {object->progs.stem_external, object->progs.stem_internal};
    std::vector<std::string> logs(programs.size(), std::string(log_length, '\0'));
    for (std::size_t i = 0; i < programs.size(); i++) {
        bpf_program__set_log_level(programs[i], log_statistics);
        bpf_program__set_log_buf(programs[i], logs[i].data(), logs[i].size());
    }
    if (const int status = stem_bpf::load(object.get()); status != 0) {
        fmt::print(stderr, "load the data plane ({}, modules {}): {}\n", subject.mode_name,
                   subject.modules_name, std::strerror(-status));
        return false;
    }
    for (std::size_t i = 0; i < programs.size(); i++) {
        bpf_prog_info info{};
        std::uint32_t length = sizeof(info);
        if (bpf_obj_get_info_by_fd(bpf_program__fd(programs[i]), &info, &length) != 0) {
            fmt::print(stderr, "ask the kernel for its program: {}\n", std::strerror(errno));
            return false;
        }
        rows.push_back({.kernel = kernel,
                        .mode = subject.mode_name,
                        .modules = subject.modules_name,
                        .program = bpf_program__name(programs[i]),
                        .instructions = info.verified_insns,
                        .jited_bytes = info.jited_prog_len,
                        .stack = stack_of(logs[i].c_str())});
    }
    return true;
}

int run(const std::string& file, bool update) {
    if (geteuid() != 0 || libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, nullptr) != 1) {
        fmt::print(stderr, "skipped: needs root and a kernel that loads XDP programs\n");
        return exit_skipped;
    }
    utsname names{};
    uname(&names);
    const std::string kernel = stem::test::series_of(names.release);
    std::vector<BudgetRow> measured;
    for (const Subject& subject : {Subject{"bridge", STEM_MODE_BRIDGE, "all", STEM_MODULES_ALL},
                                   Subject{"bridge", STEM_MODE_BRIDGE, "initial", STEM_MODULES_INITIAL},
                                   Subject{"router", STEM_MODE_ROUTER, "all", STEM_MODULES_ALL},
                                   Subject{"router", STEM_MODE_ROUTER, "initial", STEM_MODULES_INITIAL}}) {
        if (!measure(subject, kernel, measured)) {
            return exit_exceeded;
        }
    }
    for (const auto& row : measured) {
        fmt::print("{:<6} {:<7} {:<7} {:<13} {:>7} instructions, {:>6} octets of code, stack {}\n",
                   row.kernel, row.mode, row.modules, row.program, row.instructions, row.jited_bytes,
                   row.stack);
    }
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    const auto recorded = stem::test::read_budget(text.str());
    if (!recorded) {
        fmt::print(stderr, "{}: {}\n", file, recorded.error().message());
        return exit_exceeded;
    }
    if (update) {
        std::ofstream out(file);
        out << stem::test::renewed_budget(*recorded, measured);
        out.close();
        fmt::print(stderr, "{} {}\n", file, out ? "is renewed" : "could not be written");
        return out ? 0 : exit_exceeded;
    }
    const auto judgement = stem::test::judge_budget(*recorded, measured);
    for (const auto& note : judgement.notes) {
        fmt::print(stderr, "note: {}\n", note);
    }
    for (const auto& fault : judgement.faults) {
        fmt::print(stderr, "over the verifier's budget: {}\n", fault);
    }
    if (!judgement.faults.empty()) {
        fmt::print(
            stderr,
            "Make it cheaper (a __noinline function is verified once, not once for each way to it), or, "
            "if it is worth it, renew {} and say why in the commit:\n"
            "  ninja -C build/release stem-verifier-budget && build/release/bin/stem-verifier-budget "
            "--update\n",
            file);
        return exit_exceeded;
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    std::string file = STEM_VERIFIER_BUDGET;
    bool update = false;
    for (int i = 1; i < argc; i++) {
        const std::string_view word = argv[i];
        if (word == "--update") {
            update = true;
        } else if (word == "--file" && i + 1 < argc) {
            file = argv[++i];
        } else {
            const bool asked = word == "--help" || word == "-h";
            fmt::print(asked ? stdout : stderr, "{}", usage);
            return asked ? 0 : exit_usage;
        }
    }
    return run(file, update);
}
