// SPDX-License-Identifier: Apache-2.0
// stem-demo: real calls through STEM, in bridge and in router mode, over IPv4 and IPv6; ends with a table.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "demo/scenes.h"
#include "lab/enclosure.h"

namespace stem::demo {
namespace {

struct Row {
    std::string mode;
    std::string family;
    std::string scene;
    std::string claim;
    bool held = false;
    std::string evidence;
    double seconds = 0;
};

struct Options {
    std::vector<std::string> only;
    std::vector<std::string> modes = {"bridge", "router"};
    bool json = false;
    int unavailable = 1; // exit status where there are no namespaces
};

bool wanted(const Options& options, std::string_view scene) {
    return options.only.empty() || std::ranges::find(options.only, scene) != options.only.end();
}

void play(Stage& stage, const std::string& mode, const Options& options, std::vector<Row>& rows) {
    for (const auto& scene : scenes()) {
        for (const auto family : {lab::Family::v4, lab::Family::v6}) {
            if (!wanted(options, scene.name)) {
                continue;
            }
            const auto begin = std::chrono::steady_clock::now();
            const auto outcome = scene.play(stage, family);
            rows.push_back(
                {.mode = mode,
                 .family = family == lab::Family::v4 ? "IPv4" : "IPv6",
                 .scene = std::string(scene.name),
                 .claim = std::string(scene.claim),
                 .held = outcome && outcome->held,
                 .evidence = outcome ? outcome->evidence : outcome.error().message(),
                 .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()});
            const Row& row = rows.back();
            fmt::print(stderr, "  {} {} {:<41} {:>4.1f} s  {}\n", row.mode, row.family, row.claim,
                       row.seconds, row.held ? "ok" : "FAILED: " + row.evidence);
        }
    }
}

void print_table(const std::vector<Row>& rows) {
    fmt::print("\n{:<7} {:<5} {:<42} {:<6} {}\n", "mode", "", "what happened", "", "evidence");
    for (const auto& row : rows) {
        fmt::print("{:<7} {:<5} {:<42} {:<6} {}\n", row.mode, row.family, row.claim,
                   row.held ? "ok" : "FAILED", row.evidence);
    }
}

void print_json(const std::vector<Row>& rows) {
    boost::json::array list;
    for (const auto& row : rows) {
        list.push_back({{"mode", row.mode},
                        {"family", row.family},
                        {"scene", row.scene},
                        {"claim", row.claim},
                        {"held", row.held},
                        {"evidence", row.evidence},
                        {"seconds", row.seconds}});
    }
    std::cout << boost::json::object{{"rows", list}} << '\n';
}

int run(const Options& options, const Programs& programs) {
    std::vector<Row> rows;
    for (const auto& mode : options.modes) {
        fmt::print(stderr, "{}: outside [out0]--[ext0] STEM [int0]--[in0] inside\n", mode);
        auto stage = Stage::set_up(
            {.mode = mode == "bridge" ? lab::Mode::bridge : lab::Mode::router, .programs = programs});
        if (!stage) {
            fmt::print(stderr, "stem-demo: {}\n", stage.error().message());
            return 1;
        }
        play(**stage, mode, options, rows);
    }
    options.json ? print_json(rows) : print_table(rows);
    const auto failed = std::ranges::count_if(rows, [](const Row& row) { return !row.held; });
    if (!options.json) {
        fmt::print("\n{} of {} rows held\n", rows.size() - static_cast<std::size_t>(failed), rows.size());
    }
    return failed == 0 && !rows.empty() ? 0 : 1;
}

} // namespace
} // namespace stem::demo

int main(int argc, char** argv) {
    using namespace stem;
    CLI::App app{"Carries real calls through STEM in a world of network namespaces, and shows what it did.\n"
                 "Needs root. Leaves nothing behind, also when interrupted.",
                 "stem-demo"};
    demo::Options options;
    std::vector<std::string> names;
    for (const auto& scene : demo::scenes()) {
        names.emplace_back(scene.name);
    }
    app.add_option("--only", options.only, "only these scenes")->check(CLI::IsMember(names));
    app.add_option("--mode", options.modes, "bridge, router, or both (the default)")
        ->check(CLI::IsMember({"bridge", "router"}));
    app.add_flag("--json", options.json,
                 "the table as JSON: {\"rows\": [{mode, family, scene, claim, held, evidence, "
                 "seconds}]}");
    app.add_option("--unavailable", options.unavailable,
                   "exit status where no namespaces can be had (for test runners)");
    app.footer("example: stem-demo --mode bridge --only talk kill_stemd");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    const demo::Programs programs{.stemctl = here / "stemctl", .stemd = here / "stemd"};
    return lab::run_enclosed([&] { return demo::run(options, programs); }, options.unavailable);
}
