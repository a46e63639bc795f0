// SPDX-License-Identifier: Apache-2.0
// stem-bench: STEM and its peers, measured side by side in one run.
#include "conntrack_room.h"
#include "host_facts.h"
#include "markdown.h"
#include "registry.h"
#include "results_json.h"
#include "table.h"

#include "lab/enclosure.h"
#include "lab/text_file.h"

#include <CLI/CLI.hpp>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <span>

namespace stem::bench {
namespace {

constexpr int status_measured = 0;
constexpr int status_failed = 1; // a measure failed; the others are reported
constexpr int status_unable = 2; // wrong usage, or no privilege: nothing was measured

struct Options {
    std::vector<std::string> only;
    std::optional<unsigned> repetitions;
    std::optional<unsigned> flood_seconds;
    std::uint64_t flood_rate = 0;
    std::filesystem::path out = "build/bench/results.json";
    bool quick = false;
    bool json = false;
    bool markdown = false;
    std::optional<std::filesystem::path> from;
};

// Those whose names begin with one of `prefixes`; all, when there are none.
std::vector<std::unique_ptr<Measure>> measures_named(const std::vector<std::string>& prefixes) {
    auto measures = all_measures();
    std::erase_if(measures, [&](const auto& measure) {
        return !prefixes.empty() && std::ranges::none_of(prefixes, [&](const std::string& prefix) {
            return measure->name().starts_with(prefix);
        });
    });
    return measures;
}

void say(const std::string& line) {
    fmt::print(stderr, "{}\n", line);
}

Settings settings_of(const Options& options) {
    Settings settings;
    if (options.quick) {
        settings = {.repetitions = 3,
                    .run_time = std::chrono::milliseconds(200),
                    .flood_time = std::chrono::seconds(3)};
    }
    if (options.flood_seconds) {
        settings.flood_time = std::chrono::seconds(*options.flood_seconds);
    }
    settings.flood_rate = options.flood_rate;
    settings.repetitions = options.repetitions.value_or(settings.repetitions);
    return settings;
}

std::string rendered(const Options& options, const std::string& json, std::span<const Figure> figures) {
    return options.json ? json : options.markdown ? markdown_of(figures) : table_of(figures);
}

int show_earlier(const Options& options) {
    const auto figures = read_results(*options.from);
    const auto json = lab::read_text(*options.from);
    if (!figures || !json) {
        say((figures ? json.error() : figures.error()).message());
        return status_unable;
    }
    fmt::print("{}", rendered(options, *json, *figures));
    return status_measured;
}

int measure_all(const Options& options) {
    const Settings settings = settings_of(options);
    std::vector<Figure> figures;
    int status = status_measured;
    for (const auto& measure : measures_named(options.only)) {
        say(fmt::format("{}: {}", measure->name(), measure->help()));
        auto measured = measure->run(settings, [](const std::string& line) { say("  " + line); });
        if (!measured) {
            say(fmt::format("{} failed: {}", measure->name(), measured.error().message()));
            status = status_failed;
            continue;
        }
        std::ranges::move(*measured, std::back_inserter(figures));
    }
    const std::string json = results_json(host_facts(), settings, figures);
    fmt::print("{}", rendered(options, json, figures));
    if (auto written = write_results(options.out, json); !written) {
        say(written.error().message());
        return status_failed;
    }
    return status;
}

std::string list_of_measures() {
    std::string list = "Measures:\n";
    for (const auto& measure : all_measures()) {
        list += fmt::format("  {:<22} {}\n", measure->name(), measure->help());
    }
    list +=
        "\nA flood comes from one CPU, as fast as that makes and the firewall takes it (or --flood-rate), "
        "while "
        "SIPp\nplaces 50 calls a second through a bridge without a firewall, nftables, and STEM, in turn. "
        "Its figures are\nflood_NAME_SUBJECT_..., SUBJECT being bridge, nftables or stem.\n";
    return list + "\nExit status: 0 all measured, 1 a measure failed, 2 nothing could be measured.";
}

int parse_and_run(int argc, char** argv) {
    CLI::App app("Measures STEM beside its peers, in one run. Needs root.", "stem-bench");
    Options options;
    app.add_option("--only", options.only, "measures to run: names, or beginnings of names");
    app.add_option(
           "--repetitions", options.repetitions,
           "interleaved runs of each subject (15); a third as many rounds of calls, a fifth of floods")
        ->check(CLI::Range(1U, 1000U));
    app.add_option("--flood-seconds", options.flood_seconds, "how long calls go on beside a flood (8)")
        ->check(CLI::Range(1U, 300U));
    app.add_option("--flood-rate", options.flood_rate,
                   "frames a second of a flood; 0: as many as one CPU makes (0)");
    app.add_option("--out", options.out, "file for the results")->capture_default_str();
    app.add_flag("--quick", options.quick, "three short repetitions: shows that it works, not how fast");
    app.add_flag("--json", options.json, "print the results as JSON instead of a table");
    app.add_flag("--markdown", options.markdown, "print the results as the README's tables");
    app.add_option("--from", options.from, "measure nothing: print the results of an earlier run's file");
    app.footer(list_of_measures());
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? status_measured : status_unable;
    }
    for (const auto& name : options.only) {
        if (measures_named({name}).empty()) {
            say(fmt::format("--only {}: no such measure (--help lists them)", name));
            return status_unable;
        }
    }
    if (options.from) {
        return show_earlier(options);
    }
    options.out = std::filesystem::absolute(options.out);
    libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
    libbpf_set_print(nullptr);
    const ConntrackRoom room(1'000'000);
    return lab::run_enclosed([&] { return measure_all(options); }, status_unable);
}

} // namespace
} // namespace stem::bench

int main(int argc, char** argv) {
    return stem::bench::parse_and_run(argc, argv);
}
