// SPDX-License-Identifier: Apache-2.0
#include "calls/call_case.h"
#include "calls/call_world.h"
#include "calls/measures.h"
#include "calls/played_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <future>

namespace stem::bench {
namespace {

// In the order of what `percent` gives.
enum Subject : std::size_t { open, nftables, stem, subjects };
using Worlds = std::array<std::unique_ptr<CallWorld>, subjects>;
using Percents = std::array<double, subjects>;

Result<Worlds> make_worlds() {
    Worlds worlds;
    const std::array makers = {&make_open_call_world, &make_nftables_call_world, &make_stem_call_world};
    for (std::size_t subject = 0; subject < subjects; ++subject) {
        auto made = makers.at(subject)();
        if (!made) {
            return std::unexpected(made.error());
        }
        worlds.at(subject) = std::move(*made);
    }
    return worlds;
}

// All subjects at one time: they share nothing but the machine.
Result<Percents> play_everywhere(const Worlds& worlds, const CallCase& call_case, lab::Family family,
                                 std::uint16_t port) {
    std::array<std::future<Result<PlayedCalls>>, subjects> plays;
    for (std::size_t subject = 0; subject < subjects; ++subject) {
        plays.at(subject) = std::async(std::launch::async, [&, subject] {
            return play_calls(worlds.at(subject)->world(), call_case, family, port);
        });
    }
    Percents percents{};
    std::optional<Error> failure;
    for (std::size_t subject = 0; subject < subjects; ++subject) {
        const auto played = plays.at(subject).get();
        if (!played) {
            failure = played.error();
        } else {
            percents.at(subject) = 100.0 * played->lived / played->calls;
        }
    }
    if (failure) {
        return std::unexpected(*failure);
    }
    return percents;
}

Figure figure_of(std::string name, const CallCase& call_case, const std::vector<Percents>& rounds) {
    std::array<std::vector<double>, subjects> of;
    for (const auto& percents : rounds) {
        for (std::size_t subject = 0; subject < subjects; ++subject) {
            of.at(subject).push_back(percents.at(subject));
        }
    }
    return {.name = std::move(name),
            .unit = call_case.violating ? "% stopped" : "% alive",
            .spread = spread_of(of[stem]),
            .peer = "nftables and SIP helper",
            .peer_value = spread_of(of[nftables]).median,
            .peer_unit = "%",
            .aim = 100,
            .details = {{.name = "no_firewall", .value = spread_of(of[open]).median}}};
}

class CallsLive : public Measure {
  public:
    [[nodiscard]] std::string name() const override { return "calls"; }
    [[nodiscard]] std::string help() const override {
        return "which calls live, media too, through nftables with the kernel's SIP helper, and through STEM";
    }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        const auto worlds = make_worlds();
        if (!worlds) {
            return std::unexpected(worlds.error());
        }
        const unsigned rounds = settings.repetitions < 5 ? 1 : settings.repetitions / 5;
        std::vector<Figure> figures;
        std::uint16_t port = 6000;
        for (const CallCase& call_case : call_cases()) {
            for (const auto family : {lab::Family::v4, lab::Family::v6}) {
                const auto name =
                    fmt::format("calls_{}_{}", call_case.name, family == lab::Family::v4 ? "v4" : "v6");
                std::vector<Percents> played;
                for (unsigned round = 0; round < rounds; ++round) {
                    auto percents = play_everywhere(*worlds, call_case, family, port++);
                    if (!percents) {
                        return std::unexpected(percents.error());
                    }
                    played.push_back(*percents);
                }
                figures.push_back(figure_of(name, call_case, played));
                progress(fmt::format("{}: STEM {:.0f} %, nftables {:.0f} %, no firewall {:.0f} %", name,
                                     figures.back().spread.median, *figures.back().peer_value,
                                     figures.back().details.front().value));
            }
        }
        return figures;
    }
};

} // namespace

std::unique_ptr<Measure> make_calls_live() {
    return std::make_unique<CallsLive>();
}

} // namespace stem::bench
