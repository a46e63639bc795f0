// SPDX-License-Identifier: Apache-2.0
#include "lab/sipp.h"

#include "lab/enclosure.h"
#include "lab/netns.h"
#include "lab/sip_agent.h"
#include "lab/text_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <ranges>

namespace stem::lab {

using namespace std::chrono_literals;

namespace {

std::vector<std::string> cells(std::string_view line) {
    std::vector<std::string> all;
    for (const auto cell : std::views::split(line, ';')) {
        all.emplace_back(cell.begin(), cell.end());
    }
    return all;
}

// SIPp's statistics: a line of names, then one line a period. "(C)" marks totals since the start.
Result<SippCounts> parse_statistics(const std::string& text, const std::filesystem::path& path) {
    std::vector<std::string> lines;
    for (const auto line : std::views::split(text, '\n')) {
        if (!std::ranges::empty(line)) {
            lines.emplace_back(line.begin(), line.end());
        }
    }
    if (lines.size() < 2) {
        return fail("read SIPp statistics " + path.string(), "no line of numbers yet");
    }
    const auto names = cells(lines.front());
    const auto values = cells(lines.back());
    SippCounts counts;
    const std::array<std::pair<const char*, std::uint64_t*>, 6> wanted = {
        {{"TotalCallCreated", &counts.created},
         {"SuccessfulCall(C)", &counts.successful},
         {"FailedCall(C)", &counts.failed},
         {"CurrentCall", &counts.current},
         {"Retransmissions(C)", &counts.retransmissions},
         {"FailedUnexpectedMessage(C)", &counts.unexpected}}};
    for (const auto& [name, value] : wanted) {
        const auto column = static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
        if (column >= values.size()) {
            return fail("read SIPp statistics " + path.string(), fmt::format("no column {}", name));
        }
        const auto& cell = values[column];
        std::from_chars(cell.data(), cell.data() + cell.size(), *value);
    }
    return counts;
}

// SIPp binds its media port although it sends nothing, and moves to other ports when that one is taken. A
// loopback address of its own keeps it out of the way and its port numbers as they were asked for.
std::string media_address() {
    static std::atomic<unsigned> count = 0;
    const unsigned number = ++count;
    return fmt::format("127.1.{}.{}", number / 250, number % 250 + 1);
}

} // namespace

Result<Sipp> Sipp::start(const Netns& netns, const SippOptions& options) {
    const auto base = scratch() / fmt::format("sipp-{}-{}", options.scenario, unique_token());
    const auto statistics = std::filesystem::path(base).concat(".csv");
    const auto error_log = std::filesystem::path(base).concat(".errors");
    std::vector<std::string> argv = {"sipp"};
    if (options.remote) {
        argv.push_back(options.remote->to_string());
    }
    const std::vector<std::pair<std::string, std::string>> settings = {
        {"-sf", fmt::format("{}/{}.xml", STEM_LAB_SCENARIOS, options.scenario)},
        {"-i", options.local.address.to_string()},
        {"-p", std::to_string(options.local.port)},
        {"-t", options.transport},
        {"-max_socket", "4000"}, // its own bound is above that of open files
        {"-mi", media_address()},
        {"-mp", std::to_string(options.media_port)},
        {"-s", options.user},
        {"-key", "caller"},
        {"-r", fmt::format("{}", options.rate)},
        {"-l", std::to_string(options.parallel)},
        {"-d", std::to_string(options.talk.count())},
        {"-timeout", fmt::format("{}s", options.limit.count())},
        {"-stf", statistics},
        {"-fd", "1"},
        {"-error_file", error_log},
    };
    for (const auto& [key, value] : settings) {
        argv.insert(argv.end(), {key, value});
        if (key == "-key") {
            argv.push_back(options.caller);
        }
    }
    // [local_ip] of IPv6 has brackets, which a description has not (RFC 4566 9).
    argv.insert(argv.end(),
                {"-key", "media_host", options.media_host.value_or(options.local.address).to_string()});
    if (options.lost_percent != 0) {
        argv.insert(argv.end(), {"-lost", std::to_string(options.lost_percent)});
    }
    if (options.patience.count() != 0) {
        argv.insert(argv.end(), {"-recv_timeout", std::to_string(options.patience.count())});
    }
    if (!options.password.empty()) {
        argv.insert(argv.end(), {"-au", options.caller, "-ap", options.password});
    }
    if (options.calls != 0) {
        argv.insert(argv.end(), {"-m", std::to_string(options.calls)});
    }
    argv.insert(argv.end(), {"-trace_stat", "-trace_err", "-nostdin"});
    auto process = Process::start({.name = "sipp-" + options.scenario,
                                   .argv = std::move(argv),
                                   .netns = &netns,
                                   .environment = {{"TERM", "dumb"}}});
    if (!process) {
        return std::unexpected(process.error());
    }
    // The statistics file is opened after the sockets are bound: from then on no message is missed.
    const auto ready = [&] { return std::filesystem::exists(statistics) || !process->running(); };
    if (!eventually(ready, 10s) || !std::filesystem::exists(statistics)) {
        return fail(fmt::format("start SIPp {} at {}", options.scenario, options.local.to_string()),
                    process->last_words() + read_text(error_log).value_or(""));
    }
    return Sipp(std::move(*process), statistics, error_log);
}

Result<SippCounts> Sipp::wait(std::chrono::milliseconds timeout) {
    if (auto ended = process_.wait(timeout); !ended) {
        return fail("wait for " + process_.name(), ended.error().cause + error_log());
    }
    return counts();
}

SippCounts Sipp::stop() {
    if (process_.running()) {
        process_.signal(SIGUSR1); // ends in good order, writing its last numbers
        eventually([this] { return !process_.running(); }, 2s);
    }
    process_.stop();
    return counts().value_or(SippCounts{});
}

Result<SippCounts> Sipp::counts() const {
    auto text = read_text(statistics_);
    return text ? parse_statistics(*text, statistics_) : std::unexpected(text.error());
}

std::string Sipp::error_log() const {
    return read_text(error_log_).value_or("");
}

} // namespace stem::lab
