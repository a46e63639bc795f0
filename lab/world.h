// SPDX-License-Identifier: Apache-2.0
// The telephone world: three network namespaces in a row.
//
//   outside (callers, an intruder) [out0]──[ext0] middle [int0]──[in0] inside (Kamailio, phones)
//
// The addresses of a side are on its bridge lan0, which has the port towards the middle and those of hosts
// with a namespace of their own.
//
//             outside                               inside
//   bridge    192.0.2.0/24     2001:db8:1::/64      the same networks
//   router    198.51.100.0/24  2001:db8:100::/64    192.0.2.0/24  2001:db8:1::/64
//
// The host number is the last part of an address in both families, written alike: host 11 is 192.0.2.11 and
// 2001:db8:1::11. In router mode the middle is host 1 on both sides. (RFC 5737, RFC 3849)
#pragma once

#include "lab/netns.h"

#include <stem/address.h>
#include <stem/error.h>

namespace stem::lab {

enum class Family { v4, v6 };
enum class Mode { bridge, router };
enum class Side { outside, inside };
enum class Middle {
    plain, // the kernel alone: a Linux bridge, or a Linux router
    bare, // STEM's place: ext0 and int0 are up; as a router they have addresses and the kernel forwards, as a
          // bridge nothing joins them
};

struct WorldOptions {
    Mode mode = Mode::bridge;
    Middle middle = Middle::plain;
};

// Host numbers.
namespace host {
inline constexpr unsigned middle = 1;        // router mode only
inline constexpr unsigned proxy = 5;         // inside
inline constexpr unsigned first_caller = 11; // outside, 11 to 30
inline constexpr unsigned last_caller = 30;
inline constexpr unsigned first_phone = 50; // inside, 50 to 65
inline constexpr unsigned last_phone = 65;
inline constexpr unsigned intruder = 66; // outside
// 70 to 99 on either side: free for World::add_host()
inline constexpr unsigned first_separate = 70;
} // namespace host

// Interface names: the outside's, the two of the middle, the inside's.
inline constexpr const char* outside_port = "out0";
inline constexpr const char* external_port = "ext0";
inline constexpr const char* internal_port = "int0";
inline constexpr const char* inside_port = "in0";

class World {
  public:
    static Result<World> create(const WorldOptions& options);

    [[nodiscard]] const Netns& outside() const noexcept { return outside_; }
    [[nodiscard]] const Netns& middle() const noexcept { return middle_; }
    [[nodiscard]] const Netns& inside() const noexcept { return inside_; }
    [[nodiscard]] Mode mode() const noexcept { return mode_; }

    // A namespace for one host, with its address of each family alone, joined to that side: for programs that
    // let the kernel choose the source of their packets (baresip's RTP).
    [[nodiscard]] Result<Netns> add_host(Side side, unsigned host_number) const;

    // The address of a host number on that side; every number named in `host` is set up.
    [[nodiscard]] Address outside_address(unsigned host_number, Family family) const;
    [[nodiscard]] Address inside_address(unsigned host_number, Family family) const;
    [[nodiscard]] Address proxy(Family family) const { return inside_address(host::proxy, family); }

  private:
    World(Mode mode, Netns outside, Netns middle, Netns inside)
        : mode_(mode), outside_(std::move(outside)), middle_(std::move(middle)), inside_(std::move(inside)) {}
    Result<> wire(Middle middle) const;

    Mode mode_;
    Netns outside_;
    Netns middle_;
    Netns inside_;
};

} // namespace stem::lab
