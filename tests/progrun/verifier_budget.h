// SPDX-License-Identifier: Apache-2.0
// What the kernel's verifier has to do for the data plane, and how much of that is allowed: the record is
// bpf/verifier-budget.csv. A program that grows unseen is one day refused by an older kernel.
#pragma once

#include <stem/error.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stem::test {

struct BudgetRow {
    std::string kernel;  // series: "6.18"
    std::string mode;    // "bridge", "router"
    std::string modules; // "all": every module on; "initial": as after an attach that does not say otherwise
    std::string program;
    std::uint64_t instructions = 0; // that the verifier processed, of a million
    std::uint64_t jited_bytes = 0;
    std::string stack; // octets of the program and of each function of its own: "280+96"

    [[nodiscard]] bool same_subject(const BudgetRow& other) const {
        return mode == other.mode && modules == other.modules && program == other.program;
    }
};

// "6.18.44-amd64" -> "6.18".
std::string series_of(std::string_view release);

// Lines "kernel,mode,modules,program,instructions,jited_bytes,stack"; "#" begins a comment. An error names
// the line.
Result<std::vector<BudgetRow>> read_budget(std::string_view text);
// The whole file: `measured` in place of the rows of the same kernel.
std::string renewed_budget(std::vector<BudgetRow> recorded, const std::vector<BudgetRow>& measured);

struct Judgement {
    std::vector<std::string> faults; // each a line for people; none: within the budget
    std::vector<std::string> notes;
};
// Against the rows of the same kernel: 5 % more is too much. Where there are none, against those of the
// nearest kernel: figures of two kernels differ by much, so only half as much again is too much there. Half
// of what the verifier puts up with is too much in any case.
Judgement judge_budget(const std::vector<BudgetRow>& recorded, const std::vector<BudgetRow>& measured);

} // namespace stem::test
