// SPDX-License-Identifier: Apache-2.0
#include "verifier_budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <sstream>

namespace stem::test {
namespace {

constexpr std::size_t columns = 7;
constexpr std::uint64_t most_instructions = 500'000;
constexpr std::uint64_t percent_of_same_kernel = 105;
constexpr std::uint64_t percent_of_another = 150;

constexpr std::string_view heading =
    "# What the verifier has to do for each program of the data plane (docs/testing.md).\n"
    "# Written by: stem-verifier-budget --update\n"
    "# kernel,mode,modules,program,instructions,jited_bytes,stack\n";

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    return status == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// For comparing series: 6.18 -> 6018; 0 for what is none.
int rank_of(std::string_view series) {
    const auto dot = series.find('.');
    const auto major = number(series.substr(0, dot));
    const auto minor = dot == std::string_view::npos ? std::nullopt : number(series.substr(dot + 1));
    return major && minor ? static_cast<int>(*major * 1000 + *minor) : 0;
}

std::string nearest_series(const std::vector<BudgetRow>& recorded, std::string_view series) {
    const auto distance = [&](const BudgetRow& row) {
        return std::abs(rank_of(row.kernel) - rank_of(series));
    };
    const auto nearest = std::ranges::min_element(recorded, {}, distance);
    return nearest == recorded.end() ? "" : nearest->kernel;
}

std::string subject(const BudgetRow& row) {
    return fmt::format("{} ({}, modules {})", row.program, row.mode, row.modules);
}

void judge_row(const BudgetRow& row, const BudgetRow& record, bool same_kernel, Judgement& judgement) {
    const std::uint64_t percent = same_kernel ? percent_of_same_kernel : percent_of_another;
    const auto change =
        100.0 * (static_cast<double>(row.instructions) / static_cast<double>(record.instructions) - 1);
    const std::string text =
        fmt::format("{}: {} instructions, {:+.1f} % of the recorded {} (Linux {})", subject(row),
                    row.instructions, change, record.instructions, record.kernel);
    if (row.instructions * 100 > record.instructions * percent) {
        judgement.faults.push_back(text + fmt::format("; allowed: {:+} %", static_cast<int>(percent) - 100));
    } else if (same_kernel && row.instructions * percent < record.instructions * 100) {
        judgement.notes.push_back(text + ": renew the record, to keep what was gained");
    }
}

} // namespace

std::string series_of(std::string_view release) {
    const auto first = release.find('.');
    const auto end = release.find_first_not_of("0123456789", first == std::string_view::npos ? 0 : first + 1);
    return std::string(release.substr(0, end));
}

Result<std::vector<BudgetRow>> read_budget(std::string_view text) {
    std::vector<BudgetRow> rows;
    std::istringstream lines{std::string(text)};
    int line_number = 0;
    for (std::string line; std::getline(lines, line);) {
        line_number++;
        if (line.empty() || line.front() == '#') {
            continue;
        }
        std::vector<std::string> fields;
        std::istringstream parts(line);
        for (std::string field; std::getline(parts, field, ',');) {
            fields.push_back(field);
        }
        const auto instructions = fields.size() == columns ? number(fields[4]) : std::nullopt;
        const auto jited = fields.size() == columns ? number(fields[5]) : std::nullopt;
        if (!instructions || *instructions == 0 || !jited || rank_of(fields[0]) == 0) {
            return fail(fmt::format("read the verifier's budget, line {}", line_number),
                        fmt::format("'{}' is no row", line), "write it anew: stem-verifier-budget --update");
        }
        rows.push_back({fields[0], fields[1], fields[2], fields[3], *instructions, *jited, fields[6]});
    }
    return rows;
}

std::string renewed_budget(std::vector<BudgetRow> recorded, const std::vector<BudgetRow>& measured) {
    std::erase_if(recorded, [&](const BudgetRow& row) {
        return !measured.empty() && row.kernel == measured.front().kernel;
    });
    recorded.insert(recorded.end(), measured.begin(), measured.end());
    std::ranges::stable_sort(recorded, {}, [](const BudgetRow& row) { return rank_of(row.kernel); });
    std::string text(heading);
    for (const auto& row : recorded) {
        text += fmt::format("{},{},{},{},{},{},{}\n", row.kernel, row.mode, row.modules, row.program,
                            row.instructions, row.jited_bytes, row.stack);
    }
    return text;
}

Judgement judge_budget(const std::vector<BudgetRow>& recorded, const std::vector<BudgetRow>& measured) {
    Judgement judgement;
    const std::string running = measured.empty() ? "" : measured.front().kernel;
    const std::string series = nearest_series(recorded, running);
    if (series.empty()) {
        judgement.faults.emplace_back("nothing is recorded");
        return judgement;
    }
    if (series != running) {
        judgement.notes.push_back(fmt::format(
            "nothing is recorded for Linux {}: compared with {}, with more room", running, series));
    }
    for (const auto& row : measured) {
        if (row.instructions > most_instructions) {
            judgement.faults.push_back(
                fmt::format("{}: {} instructions are more than half of what the verifier puts up with",
                            subject(row), row.instructions));
        }
        const auto record = std::ranges::find_if(recorded, [&](const BudgetRow& candidate) {
            return candidate.kernel == series && candidate.same_subject(row);
        });
        if (record == recorded.end()) {
            judgement.faults.push_back(subject(row) + ": is not recorded");
        } else {
            judge_row(row, *record, series == running, judgement);
        }
    }
    return judgement;
}

} // namespace stem::test
