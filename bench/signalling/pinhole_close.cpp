// SPDX-License-Identifier: Apache-2.0
#include "signalling/measures.h"
#include "signalling/media_call.h"
#include "signalling/rounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;

constexpr unsigned calls = 100; // in a round

// One way of closing pinholes, and how to look at it.
struct Closing {
    std::string figure;
    std::string config; // stemd's
    unsigned together;  // calls that end at one time
    // Of the probes, after the 200 to the BYE. They go inward and outward in turn; no way gets more than the
    // token bucket of a G.711 pinhole holds, 18 packets.
    std::vector<std::chrono::microseconds> probes;
    std::optional<double> aim;
};

// The grace is 200 ms, and stemd's clock ticks every 20 ms.
Closing after_grace() {
    Closing closing{.figure = "pinhole_close_delay_p99_us",
                    .config = "",
                    .together = 10,
                    .probes = {100ms, 190ms},
                    .aim = {}};
    for (auto at = 197ms; at < 228ms; at += 1ms) {
        closing.probes.emplace_back(at);
    }
    closing.probes.insert(closing.probes.end(), {232ms, 236ms, 240ms, 250ms, 260ms, 280ms});
    return closing;
}

Closing at_once() {
    return {.figure = "pinhole_close_delay_no_grace_p99_us",
            .config = "[media]\nclose_grace_ms = 0\n",
            .together = 1,
            .probes = {0us, 200us, 500us, 1ms, 2ms, 4ms, 8ms, 14ms, 24ms},
            .aim = aim_delay_us};
}

// The delay until the first probe after which none passed, in microseconds: an upper bound, as fine as the
// probes are dense.
Result<double> delay_of(Moment ended, const std::vector<MediaCall::Probe>& probes) {
    const auto passed = std::ranges::find_if(probes.rbegin(), probes.rend(), &MediaCall::Probe::passed);
    const auto blocked = passed.base();
    if (blocked == probes.end()) {
        return fail("close a pinhole", fmt::format("RTP still passed {:.0f} us after the 200 to the BYE",
                                                   microseconds(probes.back().sent - ended)));
    }
    return microseconds(blocked->sent - ended);
}

// Ends all calls, then probes each at its times.
Result<> end_calls(std::span<MediaCall> calls_up, const Closing& closing, std::vector<double>& delays) {
    struct Step {
        Moment due;
        std::size_t call;
        Way way;
    };
    std::vector<Step> steps;
    std::vector<Moment> ended;
    for (std::size_t i = 0; i < calls_up.size(); ++i) {
        const auto end = calls_up[i].hang_up();
        if (!end) {
            return std::unexpected(end.error());
        }
        ended.push_back(*end);
        for (std::size_t probe = 0; probe < closing.probes.size(); ++probe) {
            steps.push_back({.due = *end + closing.probes[probe],
                             .call = i,
                             .way = probe % 2 == 0 ? Way::inward : Way::outward});
        }
    }
    std::ranges::sort(steps, {}, &Step::due);
    for (const auto& step : steps) {
        std::this_thread::sleep_until(step.due);
        if (auto sent = calls_up[step.call].probe(step.way); !sent) {
            return sent;
        }
    }
    std::this_thread::sleep_for(2ms);
    for (std::size_t i = 0; i < calls_up.size(); ++i) {
        const auto delay = delay_of(ended[i], calls_up[i].probes());
        if (!delay) {
            return std::unexpected(delay.error());
        }
        delays.push_back(*delay);
    }
    return {};
}

Result<std::vector<double>> close_calls(std::span<MediaCall> slots, const Closing& closing) {
    std::vector<double> delays;
    while (delays.size() < calls) {
        for (auto& slot : slots) {
            if (const auto opened = slot.establish(); !opened) {
                return std::unexpected(opened.error());
            }
        }
        if (auto ended = end_calls(slots, closing, delays); !ended) {
            return std::unexpected(ended.error());
        }
    }
    return delays;
}

Result<Figure> measure_closing(const Closing& closing, const Settings& settings, const Progress& progress) {
    const auto paths = CallPaths::set_up(closing.config);
    if (!paths) {
        return std::unexpected(paths.error());
    }
    std::vector<MediaCall> slots;
    for (unsigned i = 0; i < closing.together; ++i) {
        auto call = MediaCall::open((*paths)->stem(), i);
        if (!call) {
            return std::unexpected(call.error());
        }
        slots.push_back(std::move(*call));
    }
    std::vector<double> rounds;
    for (unsigned number = 1; number <= rounds_of(settings); ++number) {
        const auto delays = close_calls(slots, closing);
        if (!delays) {
            return std::unexpected(delays.error());
        }
        rounds.push_back(percentile(*delays, 99));
        progress(fmt::format("{} of {}: {:.0f} us at 99 %", number, rounds_of(settings), rounds.back()));
    }
    return Figure{.name = closing.figure,
                  .unit = "us",
                  .spread = spread_of(rounds),
                  .aim = closing.aim,
                  .aim_is_floor = false};
}

class PinholeClose : public Measure {
  public:
    [[nodiscard]] std::string name() const override { return "pinhole_close"; }
    [[nodiscard]] std::string help() const override {
        return "from the 200 to a BYE until RTP is blocked, with the default grace of 200 ms and without";
    }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        std::vector<Figure> figures;
        for (const auto& closing : {after_grace(), at_once()}) {
            auto figure = measure_closing(closing, settings, progress);
            if (!figure) {
                return std::unexpected(figure.error());
            }
            figures.push_back(std::move(*figure));
        }
        return figures;
    }
};

} // namespace

std::unique_ptr<Measure> make_pinhole_close() {
    return std::make_unique<PinholeClose>();
}

} // namespace stem::bench
