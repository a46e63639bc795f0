// SPDX-License-Identifier: Apache-2.0
#include "signalling/call_paths.h"
#include "signalling/measures.h"
#include "signalling/rounds.h"

#include "lab/sipp.h"

#include <fmt/format.h>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;

constexpr unsigned calls = 1000;
constexpr double calls_per_second = 100;
constexpr double aim_us = 100; // issue 2
constexpr auto family = lab::Family::v4;

struct Cost {
    double stemd = 0; // CPU microseconds a call, user and system
    double kamailio = 0;
};

Result<Cost> carry_calls(demo::Stage& stage) {
    const auto& world = stage.world();
    auto callee = lab::Sipp::start(
        world.inside(), {.scenario = "uas",
                         .local = {.address = world.inside_address(demo::phone::carol, family), .port = 5060},
                         .calls = calls});
    if (!callee) {
        return std::unexpected(callee.error());
    }
    const auto stemd_before = stage.stemd().cpu_time();
    const auto kamailio_before = stage.kamailio().cpu_time();
    auto caller = lab::Sipp::start(
        world.outside(),
        {.scenario = "uac",
         .local = {.address = world.outside_address(lab::host::first_caller, family), .port = 5060},
         .remote = Endpoint{.address = world.proxy(family), .port = 5060},
         .user = "carol",
         .calls = calls,
         .rate = calls_per_second,
         .talk = 500ms});
    if (!caller) {
        return std::unexpected(caller.error());
    }
    const auto ended = caller->wait(60s);
    const auto stemd_after = stage.stemd().cpu_time();
    const auto kamailio_after = stage.kamailio().cpu_time();
    callee->stop();
    if (!ended) {
        return std::unexpected(ended.error());
    }
    if (ended->successful != calls || ended->failed != 0) {
        return fail(fmt::format("carry {} calls through STEM and Kamailio", calls),
                    fmt::format("{} succeeded, {} failed: {}", ended->successful, ended->failed,
                                caller->error_log().substr(0, 500)));
    }
    return Cost{.stemd = microseconds(stemd_after - stemd_before) / calls,
                .kamailio = microseconds(kamailio_after - kamailio_before) / calls};
}

class CallCost : public Measure {
  public:
    [[nodiscard]] std::string name() const override { return "stemd_cpu"; }
    [[nodiscard]] std::string help() const override {
        return fmt::format("CPU time of stemd and of Kamailio for the same {} calls, {} a second", calls,
                           calls_per_second);
    }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        auto stage = set_up_stage();
        if (!stage) {
            return std::unexpected(stage.error());
        }
        std::vector<double> stemd;
        std::vector<double> kamailio;
        for (unsigned round = 1; round <= rounds_of(settings); ++round) {
            const auto cost = carry_calls(**stage);
            if (!cost) {
                return std::unexpected(cost.error());
            }
            stemd.push_back(cost->stemd);
            kamailio.push_back(cost->kamailio);
            progress(fmt::format("{} of {}: stemd {:.0f} us a call, Kamailio {:.0f} us", round,
                                 rounds_of(settings), cost->stemd, cost->kamailio));
        }
        return std::vector<Figure>{{.name = "stemd_cpu_us_per_call",
                                    .unit = "us",
                                    .spread = spread_of(stemd),
                                    .peer = "Kamailio, same calls",
                                    .peer_value = spread_of(kamailio).median,
                                    .peer_unit = "us",
                                    .aim = aim_us,
                                    .aim_is_floor = false}};
    }
};

} // namespace

std::unique_ptr<Measure> make_call_cost() {
    return std::make_unique<CallCost>();
}

} // namespace stem::bench
