// SPDX-License-Identifier: Apache-2.0
// Inbound frames without end: built from headers at random, cut into pieces, and changed octet by octet. The
// same seed gives the same frames.
#pragma once

#include <packet/packet.h>

#include <random>
#include <vector>

namespace stem::test {

// Whom attacks are aimed at and what they pretend to be from; of both families.
struct Targets {
    std::vector<Address> sources;
    std::vector<Address> destinations;
    std::vector<std::uint16_t> ports;
};

class Attacks {
  public:
    Attacks(Targets targets, std::uint32_t seed) : targets_(std::move(targets)), random_(seed) {}

    // One frame, or the pieces of a datagram, to be sent in this order.
    std::vector<Bytes> next();

  private:
    std::size_t below(std::size_t bound) {
        return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
    }
    bool one_in(std::size_t n) { return below(n) == 0; }
    template<typename T>
    const T& one_of(const std::vector<T>& list) {
        return list[below(list.size())];
    }
    const Address& address(const std::vector<Address>& list, bool v6);

    Packet link();
    Packet network(bool v6);
    Packet extensions();
    Packet transport();
    Packet neighbour(bool v6);
    std::vector<Bytes> pieces(bool v6);
    void mutate(Bytes& frame);
    void mend_checksum(Bytes& frame);

    Targets targets_;
    std::mt19937 random_;
};

} // namespace stem::test
