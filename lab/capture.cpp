// SPDX-License-Identifier: Apache-2.0
#include "lab/capture.h"

#include "lab/enclosure.h"
#include "lab/netns.h"
#include "lab/sip_agent.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <ranges>
#include <thread>

namespace stem::lab {

using namespace std::chrono_literals;

Result<Capture> Capture::start(const Netns& netns, const std::string& interface) {
    auto file = scratch() / fmt::format("{}-{}-{}.pcap", netns.name(), interface, unique_token());
    auto process = Process::start({.name = "tcpdump-" + interface,
                                   .argv = {"tcpdump", "-i", interface, "-n", "-U", "--immediate-mode", "-B",
                                            "16384", "-Z", "root", "-w", file},
                                   .netns = &netns});
    if (!process) {
        return std::unexpected(process.error());
    }
    const auto listens = [&] { return process->errors().contains("listening on"); };
    if (!eventually([&] { return listens() || !process->running(); }, 10s) || !listens()) {
        return fail(fmt::format("capture {} in {}", interface, netns.name()), process->last_words());
    }
    return Capture(std::move(*process), std::move(file));
}

Result<> Capture::stop() {
    if (process_.running()) {
        std::this_thread::sleep_for(100ms); // for what tcpdump has yet to read from its ring
        process_.signal(SIGINT);
    }
    if (auto ended = process_.wait(5s); !ended) {
        return std::unexpected(ended.error());
    }
    if (!process_.errors().contains("\n0 packets dropped by kernel")) {
        return fail("capture to " + file_.string(), process_.last_words());
    }
    return {};
}

Result<std::vector<std::vector<std::string>>> Capture::fields(const std::string& filter,
                                                              const std::vector<std::string>& names) const {
    std::vector<std::string> argv = {"tshark",  "-n", "-r",   file_, "--enable-heuristic",
                                     "rtp_udp", "-Y", filter, "-T",  "fields"};
    for (const auto& name : names) {
        argv.insert(argv.end(), {"-e", name});
    }
    auto output = run_command({.name = "tshark", .argv = std::move(argv)}, 60s);
    if (!output) {
        return std::unexpected(output.error());
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto line : std::views::split(*output, '\n')) {
        auto& row = rows.emplace_back();
        for (const auto field : std::views::split(line, '\t')) {
            row.emplace_back(field.begin(), field.end());
        }
    }
    if (!rows.empty()) {
        rows.pop_back(); // what stands behind the last newline; no output at all has no lines
    }
    return rows;
}

Result<std::uint64_t> Capture::count(const std::string& filter) const {
    auto rows = fields(filter, {"frame.number"});
    if (!rows) {
        return std::unexpected(rows.error());
    }
    return rows->size();
}

} // namespace stem::lab
