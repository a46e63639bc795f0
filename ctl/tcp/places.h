// SPDX-License-Identifier: Apache-2.0
// How far the ends of connections have been sent whole messages, kept where it outlives stemd. The next one
// takes over what it finds here, if the ends say the same: then the next octet is the beginning of a message.
// Without it nobody could tell. What passed while nobody judged, before STEM or with the fallback open, may
// have ended in the middle of one, and what its sender says next would be read by the other end as something
// else than by stemd.
#pragma once

#include <ctl/tcp/sequence.h>
#include <stem/abi/address.h>
#include <stem/address.h>

#include <array>
#include <functional>
#include <optional>

namespace stem::tcp {

// A connection, as its outside end names it.
struct Pair {
    Endpoint outside;
    Endpoint inside;
    bool operator==(const Pair&) const = default;
};

struct Place {
    std::array<Seq, STEM_DIRECTIONS> behind{}; // by end: what comes behind all that it was sent
    bool known = false;                        // its outside end is somebody
    bool operator==(const Place&) const = default;
};

class Places {
  public:
    Places() = default;
    virtual ~Places() = default;
    Places(const Places&) = delete;
    Places& operator=(const Places&) = delete;
    // Without room for it the connection is not taken over, and otherwise well.
    virtual void put(const Pair& pair, const Place& place) noexcept = 0;
    virtual void erase(const Pair& pair) noexcept = 0;
    [[nodiscard]] virtual std::optional<Place> find(const Pair& pair) noexcept = 0;
    virtual void keep_only(const std::function<bool(const Pair&)>& is_there) noexcept = 0;
};

} // namespace stem::tcp
