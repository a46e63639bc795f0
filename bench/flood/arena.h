// SPDX-License-Identifier: Apache-2.0
// A telephone world of its own (lab/world.h) with a subject in its middle: nothing, nftables, or STEM.
// Kamailio is inside; carol's and erin's phones are where demo/stage.h has them; dave's never answers.
#pragma once

#include "lab/world.h"

#include <stem/error.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace stem::bench {

// Packets, by reason.
using Drops = std::map<std::string, std::uint64_t>;

class Arena {
  public:
    Arena() = default;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    virtual ~Arena() = default;

    [[nodiscard]] virtual std::string label() const = 0; // in figures' names: "bridge", "nftables", "stem"
    [[nodiscard]] virtual const lab::World& world() const = 0;
    // Forgets what a flood left behind: Kamailio's transactions, learned sources.
    virtual Result<> refresh() = 0;
    // What the subject has dropped so far; nothing where nothing counts.
    [[nodiscard]] virtual Result<Drops> drops() const { return Drops{}; }
    // CPU time of the subject's daemon so far.
    [[nodiscard]] virtual std::chrono::nanoseconds daemon_cpu() { return {}; }
};

// A Linux bridge, which passes everything.
Result<std::unique_ptr<Arena>> make_bridge_arena();
// A router with nftables as a careful operator would set it up: the SIP helper, limits of SYNs, SIP and RTP
// for each source, and a set of blocked sources that is filled once a second from those above a limit, as
// fail2ban does.
Result<std::unique_ptr<Arena>> make_nftables_arena();
// STEM as a bridge, with stemd; SIP's TCP port is passed by a static rule.
Result<std::unique_ptr<Arena>> make_stem_arena();

} // namespace stem::bench
