// SPDX-License-Identifier: Apache-2.0
#include "host_facts.h"

#include "lab/process.h"
#include "lab/text_file.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace stem::bench {
namespace {

std::string first_line(std::string text) {
    text.erase(std::min(text.find('\n'), text.size()));
    return text;
}

std::string line_of(const std::filesystem::path& path) {
    auto text = lab::read_text(path);
    return text ? first_line(*text) : "";
}

// The value behind `label` in a file of "label : value" lines.
std::string value_in(const std::filesystem::path& path, std::string_view label) {
    const std::string text = lab::read_text(path).value_or("");
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto colon = line.find(':');
        if (line.starts_with(label) && colon != std::string::npos) {
            const auto begin = line.find_first_not_of(" \t", colon + 1);
            return begin == std::string::npos ? "" : line.substr(begin);
        }
    }
    return "";
}

std::string version_of(std::vector<std::string> argv) {
    std::string name = argv.front();
    auto output = lab::run_command({.name = std::move(name), .argv = std::move(argv)});
    return output ? first_line(*output) : "";
}

} // namespace

HostFacts host_facts() {
    HostFacts host;
    host.cores = static_cast<unsigned>(sysconf(_SC_NPROCESSORS_ONLN));
    const auto add = [&](std::string name, std::string value) {
        if (!value.empty()) {
            host.facts.push_back({std::move(name), std::move(value)});
        }
    };
    utsname system{};
    uname(&system);
    add("cpu", value_in("/proc/cpuinfo", "model name"));
    add("cpu_mhz", value_in("/proc/cpuinfo", "cpu MHz"));
    add("memory", value_in("/proc/meminfo", "MemTotal"));
    add("kernel", fmt::format("{} {} {}", system.sysname, system.release, system.machine));
    add("governor", line_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    add("bpf_jit", line_of("/proc/sys/net/core/bpf_jit_enable"));
    add("virtual_machine",
        value_in("/proc/cpuinfo", "flags").find(" hypervisor") != std::string::npos ? "yes" : "no");
    add("compiler", "gcc " __VERSION__);
    add("bpf_compiler", version_of({"clang-19", "--version"}));
    add("libbpf", libbpf_version_string());
    add("nftables", version_of({"nft", "--version"}));

    const std::filesystem::path weaknesses("/sys/devices/system/cpu/vulnerabilities");
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(weaknesses, none)) {
        const std::string state = line_of(entry.path());
        if (state != "Not affected" && !state.empty()) {
            host.mitigations.push_back({entry.path().filename(), state});
        }
    }
    std::ranges::sort(host.mitigations, {}, &Fact::name);
    return host;
}

} // namespace stem::bench
