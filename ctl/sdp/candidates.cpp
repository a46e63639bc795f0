// SPDX-License-Identifier: Apache-2.0
#include "ctl/sdp/candidates.h"

#include "ctl/sdp/numbers.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace stem::sdp {
namespace {

constexpr std::uint64_t largest_port = 65535;
constexpr std::uint64_t largest_priority = 0x7fffffff; // RFC 8445 5.1.2
constexpr std::size_t rtcp_places = 2;

bool is_same_place(const Candidate& a, const Candidate& b) {
    return a.component == b.component && a.port == b.port && a.address == b.address;
}

} // namespace

// <foundation> <component> <transport> <priority> <address> <port> typ <type> ...
std::optional<Candidate> read_candidate(std::string_view value) noexcept {
    next_word(value);
    const auto component = number_in(next_word(value));
    const std::string_view transport = next_word(value);
    const auto priority = number_in(next_word(value));
    const auto address = Address::parse(next_word(value));
    const auto port = number_in(next_word(value));
    if (!component || *component < 1 || *component > 2 || !same_letters(transport, "UDP") || !priority ||
        *priority > largest_priority || !address || address->is_unspecified() || !port || *port == 0 ||
        *port > largest_port || !same_letters(next_word(value), "typ")) {
        return std::nullopt;
    }
    return Candidate{.address = *address,
                     .port = static_cast<std::uint16_t>(*port),
                     .component = static_cast<std::uint8_t>(*component),
                     .priority = static_cast<std::uint32_t>(*priority)};
}

void rank_candidates(std::vector<Candidate>& candidates, std::size_t most) {
    std::ranges::stable_sort(candidates, [](const Candidate& a, const Candidate& b) {
        return std::tuple(a.component, b.priority) < std::tuple(b.component, a.priority);
    });
    std::vector<Candidate> places; // each at its highest priority, which comes first
    for (const Candidate& each : candidates) {
        if (std::ranges::none_of(places,
                                 [&](const Candidate& known) { return is_same_place(known, each); })) {
            places.push_back(each);
        }
    }
    candidates = std::move(places);
    const auto rtcp =
        std::ranges::find_if(candidates, [](const Candidate& each) { return each.component == 2; });
    const auto of_rtcp = static_cast<std::size_t>(candidates.end() - rtcp);
    const auto of_rtp = static_cast<std::size_t>(rtcp - candidates.begin());
    const std::size_t kept_for_rtcp = most > rtcp_places ? std::min(of_rtcp, rtcp_places) : 0;
    if (const std::size_t room = most - kept_for_rtcp; of_rtp > room) {
        candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(room), rtcp);
    }
    if (candidates.size() > most) {
        candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(most), candidates.end());
    }
}

} // namespace stem::sdp
