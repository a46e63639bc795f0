// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/peer_list.h"

#include <algorithm>

namespace stem::kernel {

Result<PeerList> PeerList::open(const Instance& instance) {
    auto map = PeerMap::open(instance.pin("peers"));
    if (!map) {
        return std::unexpected(map.error());
    }
    return PeerList(std::move(*map));
}

Result<std::vector<PeerEntry>> PeerList::list() const {
    std::vector<PeerEntry> all;
    const auto walked = map_.for_each([&](const stem_addr& address, const stem_peer& value) {
        all.push_back({.address = Address(address), .value = value});
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    std::ranges::sort(all, {}, &PeerEntry::address);
    return all;
}

Result<bool> PeerList::add_trunk(const Address& address) const {
    const auto there = map_.get(address.raw());
    if (!there) {
        return std::unexpected(there.error());
    }
    stem_peer peer = there->value_or(stem_peer{.expires_ns = 0, .phones = 1, .kinds = 0});
    if ((peer.kinds & STEM_PEER_TRUNK) != 0) {
        return false;
    }
    peer.kinds |= STEM_PEER_TRUNK;
    peer.expires_ns = 0;
    if (auto put = map_.put(address.raw(), peer); !put) {
        return std::unexpected(put.error());
    }
    return true;
}

Result<bool> PeerList::remove_trunk(const Address& address) const {
    const auto there = map_.get(address.raw());
    if (!there) {
        return std::unexpected(there.error());
    }
    if (!*there || ((*there)->kinds & STEM_PEER_TRUNK) == 0) {
        return false;
    }
    // What it earned beside has no expiry any more: it is earned anew.
    stem_peer peer = **there;
    peer.kinds &= STEM_PEER_CONFIGURED;
    if (peer.kinds == 0) {
        auto erased = map_.erase(address.raw());
        return erased ? Result<bool>(true) : std::unexpected(erased.error());
    }
    if (auto put = map_.put(address.raw(), peer); !put) {
        return std::unexpected(put.error());
    }
    return true;
}

std::vector<std::string> names_of_kinds(std::uint32_t kinds) {
    std::vector<std::string> names;
    const auto add = [&](std::uint32_t kind, const char* name) {
        if ((kinds & kind) != 0) {
            names.emplace_back(name);
        }
    };
    add(STEM_PEER_REGISTERED, "registered");
    add(STEM_PEER_DIALOG, "dialog");
    add(STEM_PEER_TRUNK, "trunk");
    add(STEM_PEER_CONFIGURED, "configured");
    return names;
}

} // namespace stem::kernel
