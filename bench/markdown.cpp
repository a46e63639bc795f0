// SPDX-License-Identifier: Apache-2.0
#include "markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace stem::bench {
namespace {

constexpr std::string_view flood_prefix = "flood_";
constexpr std::string_view calls_prefix = "calls_";
constexpr std::string_view success_suffix = "_setup_success";
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> subjects = {
    {{"_bridge", "no firewall"}, {"_nftables", "nftables"}, {"_stem", "STEM"}}};

std::string number(double value, std::string_view unit) {
    return unit == "ratio" || unit == "Mpps" ? fmt::format("{:.3g}", value) : fmt::format("{:.0f}", value);
}

std::string row_of(const Figure& figure) {
    const std::string unit = figure.unit == "ratio" ? "" : " " + figure.unit;
    const auto& [median, min, max] = figure.spread;
    const std::string peer = figure.peer_value
                                 ? fmt::format("{} ({} {})", figure.peer,
                                               number(*figure.peer_value, figure.peer_unit), figure.peer_unit)
                                 : "";
    const std::string aim = figure.aim ? fmt::format("{:g}", *figure.aim) : "";
    return fmt::format("| `{}` | {}{} | {} to {} | {} | {} |\n", figure.name, number(median, figure.unit),
                       unit, number(min, figure.unit), number(max, figure.unit), peer, aim);
}

const Figure* find(std::span<const Figure> figures, const std::string& name) {
    const auto found = std::ranges::find(figures, name, &Figure::name);
    return found == figures.end() ? nullptr : &*found;
}

// The names of the floods that were measured: "flood_syn_one".
std::vector<std::string> floods_in(std::span<const Figure> figures) {
    const std::string ending = std::string(subjects.front().first) + std::string(success_suffix);
    std::vector<std::string> names;
    for (const auto& figure : figures) {
        if (figure.name.starts_with(flood_prefix) && figure.name.ends_with(ending)) {
            names.push_back(figure.name.substr(0, figure.name.size() - ending.size()));
        }
    }
    return names;
}

std::string flood_row(std::span<const Figure> figures, const std::string& flood, std::string_view label,
                      std::string_view subject) {
    const auto cell = [&](const char* what, int digits) -> std::string {
        const auto* figure = find(figures, fmt::format("{}{}_{}", flood, label, what));
        return figure == nullptr ? "" : fmt::format("{:.{}f}", figure->spread.median, digits);
    };
    return fmt::format("| `{}` | {} | {} | {} % | {} | {} | {} % | {} |\n", flood, subject,
                       cell("offered", 2), cell("setup_success", 1), cell("added_delay_p50_us", 0),
                       cell("added_delay_p99_us", 0), cell("rtp_loss", 2), cell("system_cpus", 2));
}

double without_firewall(const Figure& figure) {
    const auto open = std::ranges::find(figure.details, "no_firewall", &Detail::name);
    return open == figure.details.end() ? 0 : open->value;
}

// "| `plain` | 100, 100 % | 100, 100 % | 100, 100 % |", of "calls_plain_v4" and "calls_plain_v6".
std::string call_row(std::string_view name, const Figure& v4, const Figure& v6) {
    return fmt::format("| `{}` | {:.0f}, {:.0f} % | {:.0f}, {:.0f} % | {:.0f}, {:.0f} % |\n", name,
                       without_firewall(v4), without_firewall(v6), v4.peer_value.value_or(0),
                       v6.peer_value.value_or(0), v4.spread.median, v6.spread.median);
}

std::string calls_in(std::span<const Figure> figures) {
    std::string rows;
    for (const auto& v4 : figures) {
        if (!v4.name.starts_with(calls_prefix) || !v4.name.ends_with("_v4")) {
            continue;
        }
        const std::string name = v4.name.substr(0, v4.name.size() - 3);
        if (const auto* v6 = find(figures, name + "_v6")) {
            rows += call_row(std::string_view(name).substr(calls_prefix.size()), v4, *v6);
        }
    }
    return rows.empty() ? rows
                        : "\n| call | no firewall: IPv4, IPv6 | nftables, SIP helper | STEM |\n"
                          "|---|---|---|---|\n" +
                              rows;
}

} // namespace

std::string markdown_of(std::span<const Figure> figures) {
    std::string text = "| measure | median | min to max | peer (its figure) | aim |\n|---|---|---|---|---|\n";
    for (const auto& figure : figures) {
        if (!figure.name.starts_with(flood_prefix) && !figure.name.starts_with(calls_prefix) &&
            (figure.peer_value || figure.aim)) {
            text += row_of(figure);
        }
    }
    text += calls_in(figures);
    const auto floods = floods_in(figures);
    if (!floods.empty()) {
        text +=
            "\n| flood | firewall | Mpps offered | calls completed | added delay, median, us | 99 %, us | "
            "RTP lost | CPUs in the kernel |\n|---|---|---|---|---|---|---|---|\n";
    }
    for (const auto& flood : floods) {
        for (const auto& [label, subject] : subjects) {
            text += flood_row(figures, flood, label, subject);
        }
    }
    return text;
}

} // namespace stem::bench
