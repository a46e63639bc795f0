// SPDX-License-Identifier: Apache-2.0
// The data plane's parser (bpf/parse.h, bpf/form.h) against a host's reading of the same frame
// (tests/bypass/receiver.h): whatever it lets go on, it must have read as the host will. Frames are mutated
// octet by octet, and now and then replaced by one that is built of headers.
#include "bypass/attacks.h"
#include "bypass/receiver.h"
#include "progrun/user_parser.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t room);

namespace {

using namespace stem;
using namespace stem::test;

constexpr unsigned fresh_one_in = 16;
constexpr std::uint8_t tcp = 6;
constexpr std::uint8_t udp = 17;

[[noreturn]] void differ(const char* in_what) {
    std::fprintf(stderr, "the parser and the host differ in %s\n", in_what);
    std::abort();
}

void require(bool agrees, const char* in_what) {
    if (!agrees) {
        differ(in_what);
    }
}

HostAddress host(const stem_addr& address) {
    HostAddress octets{};
    std::ranges::copy(address.octet, octets.begin());
    return octets;
}

Address ip(const char* text) {
    return Address::parse(text).value_or(Address());
}

void compare(const Parsed& parsed, std::span<const std::uint8_t> frame) {
    const auto got = datagram_of(frame);
    require(got.has_value(), "whether it is a datagram");
    require(got->family == parsed.ip_version, "the family");
    require(got->src == host(parsed.key.src), "the source");
    require(got->dst == host(parsed.key.dst), "the destination");
    require(!got->elsewhere, "where it goes");
    require(got->piece == parsed.fragment || !got->piece, "whether it is a fragment");
    const auto ids = vlans_of(frame);
    require(ids.size() <= 2, "the tags");
    if (got->piece) { // hosts look at what is behind the fragment header once it is put together
        require((got->offset != 0) == parsed.later, "which fragment it is");
        return;
    }
    require(got->protocol == parsed.key.protocol, "the protocol");
    if (got->protocol == tcp || got->protocol == udp) {
        const auto ports = ports_of(*got);
        if (parsed.fragment && !ports) {
            return; // the only fragment of a datagram (RFC 6946): STEM reads its ports, and no host takes it
        }
        require(ports.has_value(), "whether it has ports");
        require(ports->src == parsed.key.sport && ports->dst == parsed.key.dport, "the ports");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0; // a driver gives no such frame
    }
    const std::span frame(data, size);
    for (const stem_direction direction : {STEM_INBOUND, STEM_OUTBOUND}) {
        const Parsed parsed = parse_in_user_space(frame, direction);
        if (parsed.fault == STEM_CONTINUE && parsed.form == STEM_CONTINUE && parsed.ip_version != 0) {
            compare(parsed, frame);
        }
    }
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t room,
                                               unsigned seed) {
    if (seed % fresh_one_in != 0) {
        return LLVMFuzzerMutate(data, size, room);
    }
    Attacks attacks({.sources = {ip("192.0.2.10"), ip("2001:db8:1::10"), ip("fe80::1")},
                     .destinations = {ip("198.51.100.10"), ip("2001:db8:2::10")},
                     .ports = {22, 5060, 40000}},
                    seed);
    const auto frames = attacks.next();
    const Bytes& frame = frames[seed / fresh_one_in % frames.size()];
    const std::size_t length = std::min(frame.size(), room);
    std::copy_n(frame.begin(), length, data);
    return length;
}
