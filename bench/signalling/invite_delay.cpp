// SPDX-License-Identifier: Apache-2.0
#include "signalling/call_paths.h"
#include "signalling/measures.h"
#include "signalling/rounds.h"

#include <fmt/format.h>

#include <array>
#include <thread>

namespace stem::bench {
namespace {

constexpr unsigned invites = 1000;                         // of each path, in a round
constexpr auto interval = std::chrono::microseconds(5000); // between two INVITEs: 100 a second on each path
constexpr std::array<double, 2> percentiles = {50, 99};

// One INVITE, refused by the phone: its delay, in microseconds.
Result<double> delay_of_invite(const CallPath& path) {
    const auto invite = path.invite(lab::sdp({.address = path.caller.local().address, .port = 24000}));
    const auto sent = path.caller.send(path.phone.local(), invite.text());
    if (!sent) {
        return std::unexpected(sent.error());
    }
    const auto arrived = path.phone.receive_request("INVITE");
    if (!arrived) {
        return std::unexpected(arrived.error());
    }
    const auto busy =
        path.phone.send(arrived->from, lab::response_text(arrived->text, 486, "Busy Here", "b"));
    const auto heard = path.caller.receive_final("INVITE");
    if (!busy || !heard) {
        return std::unexpected(busy ? heard.error() : busy.error());
    }
    const auto closed = path.caller.send(path.phone.local(), lab::ack_of_failure(invite, heard->text).text());
    const auto ended = path.phone.receive_request("ACK");
    if (!closed || !ended) {
        return std::unexpected(closed ? ended.error() : closed.error());
    }
    return microseconds(arrived->at - *sent);
}

// Delays of a round: the two paths take turns, so that what disturbs the machine disturbs both.
struct Round {
    std::vector<double> stem;
    std::vector<double> bridge;
};

Result<Round> send_invites(const CallPaths& paths) {
    Round round;
    auto due = std::chrono::steady_clock::now();
    for (unsigned i = 0; i < invites; ++i) {
        for (auto [path, delays] :
             {std::pair(&paths.stem(), &round.stem), {&paths.bridge(), &round.bridge}}) {
            due += interval;
            std::this_thread::sleep_until(due);
            const auto delay = delay_of_invite(*path);
            if (!delay) {
                return std::unexpected(delay.error());
            }
            delays->push_back(*delay);
        }
    }
    return round;
}

class InviteDelay : public Measure {
  public:
    [[nodiscard]] std::string name() const override { return "invite_added_delay"; }
    [[nodiscard]] std::string help() const override {
        return fmt::format("delay of {} INVITEs, 100 a second, beyond that of a Linux bridge", invites);
    }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        const auto paths = CallPaths::set_up();
        if (!paths) {
            return std::unexpected(paths.error());
        }
        std::array<std::vector<double>, percentiles.size()> added;
        std::array<std::vector<double>, percentiles.size()> bridge;
        for (unsigned number = 1; number <= rounds_of(settings); ++number) {
            const auto round = send_invites(**paths);
            if (!round) {
                return std::unexpected(round.error());
            }
            for (std::size_t i = 0; i < percentiles.size(); ++i) {
                bridge[i].push_back(percentile(round->bridge, percentiles[i]));
                added[i].push_back(percentile(round->stem, percentiles[i]) - bridge[i].back());
            }
            progress(fmt::format("{} of {}: +{:.0f} us in the median, +{:.0f} us at 99 %", number,
                                 rounds_of(settings), added[0].back(), added[1].back()));
        }
        std::vector<Figure> figures;
        figures.reserve(percentiles.size());
        for (std::size_t i = 0; i < percentiles.size(); ++i) {
            figures.push_back({.name = fmt::format("invite_added_delay_p{:.0f}_us", percentiles[i]),
                               .unit = "us",
                               .spread = spread_of(added[i]),
                               .peer = "bridge alone",
                               .peer_value = spread_of(bridge[i]).median,
                               .peer_unit = "us",
                               .aim_is_floor = false});
        }
        figures.back().aim = aim_delay_us;
        return figures;
    }
};

} // namespace

std::unique_ptr<Measure> make_invite_delay() {
    return std::make_unique<InviteDelay>();
}

} // namespace stem::bench
