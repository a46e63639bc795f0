// SPDX-License-Identifier: Apache-2.0
#include "signalling/measures.h"
#include "signalling/media_call.h"
#include "signalling/rounds.h"

#include <fmt/format.h>

#include <array>
#include <thread>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;

constexpr unsigned calls = 200; // of each path, in a round

// What one path's calls of a round gave, in microseconds.
struct Openings {
    std::vector<double> delays; // transit in them
    std::vector<double> transits;
    unsigned lost = 0;

    [[nodiscard]] double delay(double percent) const {
        return percentile(delays, percent) - percentile(transits, 50);
    }
};

Result<> call_once(MediaCall& call, Openings& openings) {
    const auto opened = call.establish();
    if (!opened) {
        return std::unexpected(opened.error());
    }
    openings.delays.push_back(microseconds(opened->first - opened->answered));
    openings.transits.push_back(opened->transit);
    openings.lost += opened->lost;
    if (const auto ended = call.hang_up(); !ended) {
        return std::unexpected(ended.error());
    }
    return {};
}

class PinholeOpen : public Measure {
  public:
    [[nodiscard]] std::string name() const override { return "pinhole_open"; }
    [[nodiscard]] std::string help() const override {
        return "from the answer's arrival until RTP is through; none may be lost";
    }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        // Every call has the same ports: without a grace none finds its pinhole still open.
        const auto paths = CallPaths::set_up("[media]\nclose_grace_ms = 0\n");
        if (!paths) {
            return std::unexpected(paths.error());
        }
        auto through_stem = MediaCall::open((*paths)->stem(), 0);
        auto through_bridge = MediaCall::open((*paths)->bridge(), 0);
        if (!through_stem || !through_bridge) {
            return std::unexpected(through_stem ? through_bridge.error() : through_stem.error());
        }
        std::vector<double> stem;
        std::vector<double> bridge;
        for (unsigned number = 1; number <= rounds_of(settings); ++number) {
            Openings of_stem;
            Openings of_bridge;
            for (unsigned i = 0; i < calls; ++i) {
                for (const auto& [call, openings] :
                     {std::pair(&*through_stem, &of_stem), {&*through_bridge, &of_bridge}}) {
                    if (auto done = call_once(*call, *openings); !done) {
                        return std::unexpected(done.error());
                    }
                    std::this_thread::sleep_for(2ms);
                }
            }
            if (of_stem.lost != 0) {
                return fail("send RTP after an answer",
                            fmt::format("{} packets were lost in {} calls: the answer came through before "
                                        "its pinhole was open",
                                        of_stem.lost, calls));
            }
            stem.push_back(of_stem.delay(99));
            bridge.push_back(of_bridge.delay(99));
            progress(fmt::format("{} of {}: {:.0f} us at 99 %, through a bridge {:.0f} us; no RTP lost",
                                 number, rounds_of(settings), stem.back(), bridge.back()));
        }
        return std::vector<Figure>{{.name = "pinhole_open_delay_p99_us",
                                    .unit = "us",
                                    .spread = spread_of(stem),
                                    .peer = "the same over a bridge",
                                    .peer_value = spread_of(bridge).median,
                                    .peer_unit = "us",
                                    .aim = aim_delay_us,
                                    .aim_is_floor = false}};
    }
};

} // namespace

std::unique_ptr<Measure> make_pinhole_open() {
    return std::make_unique<PinholeOpen>();
}

} // namespace stem::bench
