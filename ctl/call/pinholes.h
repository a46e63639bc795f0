// SPDX-License-Identifier: Apache-2.0
// Which flows two parties' media make, and who holds them open.
#pragma once

#include <stem/abi/dialog.h>
#include <stem/abi/flow.h>
#include <stem/abi/learning.h>
#include <stem/address.h>

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ctl/call/packet.h"
#include "ctl/call/stores.h"

namespace stem::call {

struct FlowKeyHash {
    std::size_t operator()(const stem_flow_key& key) const noexcept {
        return std::hash<std::string_view>{}({reinterpret_cast<const char*>(&key), sizeof(key)});
    }
};
struct FlowKeyEqual {
    bool operator()(const stem_flow_key& a, const stem_flow_key& b) const noexcept {
        return std::memcmp(&a, &b, sizeof(a)) == 0;
    }
};
using Flows = std::unordered_map<stem_flow_key, stem_flow, FlowKeyHash, FlowKeyEqual>;

// The flows of a session: for each m= line that both sides keep, RTP (or fax) towards each side that wants to
// receive from one that wants to send, described by the receiver's own words, and RTCP both ways (on its own
// ports, or RFC 5761's shared one). Where both speak ICE, also between each two of their candidates.
// `direction` is that of the first INVITE: the caller's packets travel so.
Flows flows_between(std::span<const stem_media> caller, std::span<const stem_media> callee,
                    stem_direction direction, std::uint64_t dialog, std::uint64_t now_ns);

struct LearningKeyHash {
    std::size_t operator()(const stem_learning_key& key) const noexcept {
        return std::hash<std::string_view>{}({reinterpret_cast<const char*>(&key), sizeof(key)});
    }
};
struct LearningKeyEqual {
    bool operator()(const stem_learning_key& a, const stem_learning_key& b) const noexcept {
        return std::memcmp(&a, &b, sizeof(a)) == 0;
    }
};
using Learnings = std::unordered_map<stem_learning_key, stem_learning, LearningKeyHash, LearningKeyEqual>;

// What the data plane shall learn for the lines of which one side is behind NAT: an entry for RTP, and one
// for RTCP. `window_ns`: how long from now. `networks`: where the source of a peer's signalling is in one of
// them, its media may come from all of it.
Learnings learnings_between(std::span<const stem_media> caller, std::span<const stem_media> callee,
                            stem_direction direction, std::uint64_t dialog, std::uint64_t now_ns,
                            std::uint64_t window_ns, std::span<const Cidr> networks);

// All open pinholes. Two dialogs may hold the same one (two calls between the same two ports): it closes when
// the last lets go.
class Pinholes {
  public:
    Pinholes(FlowStore& store, Egress& egress) : store_(store), egress_(egress) {}

    // Makes `wanted` the dialog's pinholes: opens what is missing at once, and closes the rest at
    // `close_at_ns`.
    void replace(std::uint64_t dialog, const Flows& wanted, std::uint64_t close_at_ns);
    // The same for what is to be learned; what is learned already stays so, unless it was signalled anew.
    void replace(std::uint64_t dialog, const Learnings& wanted);
    // Closes all of the dialog's pinholes at `at_ns`, and ends its learning now.
    void close(std::uint64_t dialog, std::uint64_t at_ns);
    // Closes what is due. Call after every change and on every tick.
    void run(std::uint64_t now_ns);
    // Counts flows that are in the kernel already as the dialog's, and opens those that are not.
    void adopt(std::uint64_t dialog, const Flows& flows);
    // Removes flows from the kernel that no dialog holds: those of calls that ended while stemd was away.
    std::size_t sweep_orphans();

    // When the dialog's media were last seen; 0 = never.
    std::uint64_t last_seen_ns(std::uint64_t dialog);
    // The same of what goes one way.
    std::uint64_t last_seen_ns(std::uint64_t dialog, stem_direction direction);
    [[nodiscard]] std::vector<stem_flow_key> keys_of(std::uint64_t dialog) const;
    [[nodiscard]] bool holds(const stem_flow_key& key) const { return holders_.contains(key); }
    // What all RTP pinholes of a direction may carry, bytes per second at IP level.
    [[nodiscard]] std::uint64_t announced(stem_direction direction) const { return announced_[direction]; }
    [[nodiscard]] std::size_t size() const { return holders_.size(); }
    [[nodiscard]] std::uint64_t opened() const { return opened_; }
    [[nodiscard]] std::uint64_t closed() const { return closed_; }

  private:
    using Keys = std::vector<stem_flow_key>;
    void open(std::uint64_t dialog, const stem_flow_key& key, const stem_flow& flow);
    void let_go(std::uint64_t dialog, const stem_flow_key& key, bool may_come_back);
    void forget_learnings(std::uint64_t dialog, const Learnings& but);

    FlowStore& store_;
    Egress& egress_;
    struct Pinhole {
        std::set<std::uint64_t> holders;
        std::uint64_t announced = 0; // bytes per second; 0 for RTCP
    };
    void announce(Pinhole& pinhole, const stem_flow_key& key, const stem_flow& flow);

    std::unordered_map<stem_flow_key, Pinhole, FlowKeyHash, FlowKeyEqual> holders_;
    std::unordered_map<std::uint64_t, Keys> held_by_;
    // Of flows that their call closed for a while (on hold): they are denied again when it opens them.
    struct Denial {
        Denial(std::uint64_t of_dialog, const stem_flow& flow);
        void put_on(stem_flow& flow) const;

        std::uint64_t dialog;
        std::uint64_t until_ns;
        std::uint8_t by; // enum stem_deny_origin
        std::array<char, STEM_DENY_FLOW_NOTE_MAX> note;
    };
    std::unordered_map<stem_flow_key, Denial, FlowKeyHash, FlowKeyEqual> denied_;
    std::unordered_map<std::uint64_t, std::vector<stem_learning_key>> learning_for_;
    std::uint64_t announced_[STEM_DIRECTIONS] = {0, 0};
    struct Closing {
        std::uint64_t dialog;
        Keys keys;
    };
    std::multimap<std::uint64_t, Closing> closing_; // by time
    std::uint64_t opened_ = 0;
    std::uint64_t closed_ = 0;
};

} // namespace stem::call
