// SPDX-License-Identifier: Apache-2.0
// Known peers: who they are, why, until when, and how many phones are behind them. Pure logic over a store
// (the pinned map `peers`); time comes in with every call (nanoseconds of CLOCK_MONOTONIC). One thread.
#pragma once

#include <stem/abi/peer.h>
#include <stem/address.h>
#include <stem/error.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ctl/call/deadlines.h"

namespace stem::peers {

class Store {
  public:
    Store() = default;
    virtual ~Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    virtual Result<> put(const Address& address, const stem_peer& peer) = 0;
    virtual void erase(const Address& address) = 0; // a missing one is no error
    virtual void for_each(const std::function<void(const Address&, const stem_peer&)>& visit) = 0;
};

struct Settings {
    // A peer stays known for so long after its last answered call.
    std::chrono::seconds call_memory{600};
    std::size_t max_peers = 131072;
};

class Table {
  public:
    Table(Store& store, const Settings& settings) : store_(store), settings_(settings) {}

    // Takes over what an earlier stemd, or stemctl, left in the store. Gives the number of peers. What
    // stemd.toml named then is not taken over: set_configured() names it anew.
    std::size_t adopt(std::uint64_t now_ns);

    // `lifetime` 0: the binding is gone.
    void registered(const Address& peer, const std::string& binding, std::chrono::seconds lifetime,
                    std::uint64_t now_ns);
    void call_up(std::uint64_t dialog, const Address& peer, std::uint64_t now_ns);
    void call_over(std::uint64_t dialog, std::uint64_t now_ns);

    // The operator's trunks; they never expire.
    Result<> add_trunk(const Address& peer, std::uint64_t now_ns);
    bool remove_trunk(const Address& peer, std::uint64_t now_ns); // false: it is none
    void set_configured(const std::vector<Address>& peers, std::uint64_t now_ns);

    // Expires what is due. Every second or so.
    void tick(std::uint64_t now_ns);

    [[nodiscard]] std::size_t size() const { return peers_.size(); }
    [[nodiscard]] std::uint64_t refused() const { return refused_; } // peers that there was no room for

  private:
    struct Peer {
        std::unordered_map<std::string, std::uint64_t> bindings; // until when
        std::unordered_set<std::uint64_t> calls;                 // dialogs that are up
        // Answered calls of this minute and of the one before.
        std::uint32_t answered[2] = {0, 0};
        std::uint64_t minute = 0;
        std::uint64_t calls_until_ns = 0;
        // Of a stemd before this one.
        stem_peer inherited{};
        std::uint32_t named = 0;  // STEM_PEER_TRUNK, STEM_PEER_CONFIGURED
        std::uint64_t due_ns = 0; // earliest deadline that is set
        stem_peer written{};
    };

    Peer* find_or_make(const Address& address);
    static void count_answered(Peer& peer, std::uint64_t now_ns);
    [[nodiscard]] stem_peer describe(const Peer& peer, std::uint64_t now_ns) const;
    // Writes what changed; forgets the peer when nothing is left of it.
    void update(const Address& address, Peer& peer, std::uint64_t now_ns);
    void wake_at(const Address& address, Peer& peer, std::uint64_t at_ns);
    void drop_expired(Peer& peer, std::uint64_t now_ns);

    Store& store_;
    Settings settings_;
    std::unordered_map<Address, Peer> peers_;
    std::unordered_map<std::uint64_t, Address> calls_; // dialog -> peer
    call::Deadlines<Address> due_;
    std::uint64_t refused_ = 0;
};

} // namespace stem::peers
