// SPDX-License-Identifier: Apache-2.0
// Frames written out octet by octet for the tests of ctl/frame, and a checksum of their own to hold it
// against.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace stem::test {

using Octets = std::vector<std::uint8_t>;

inline void append(Octets& to, std::initializer_list<unsigned> octets) {
    for (const unsigned octet : octets) {
        to.push_back(static_cast<std::uint8_t>(octet));
    }
}

inline void append16(Octets& to, std::size_t value) {
    append(to, {static_cast<unsigned>(value >> 8U & 0xffU), static_cast<unsigned>(value & 0xffU)});
}

inline void append(Octets& to, std::string_view text) {
    to.insert(to.end(), text.begin(), text.end());
}

inline std::string_view text_of(std::span<const std::uint8_t> octets) {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

// 192.0.2.1:5060 -> 198.51.100.2:5062 or 2001:db8::1 -> 2001:db8:1::2.
struct Sample {
    bool v4 = true;
    std::vector<std::pair<unsigned, unsigned>> vlans = {};    // TPID, TCI
    Octets ip_options = {};                                   // IPv4, a multiple of four
    std::vector<std::pair<unsigned, Octets>> extensions = {}; // IPv6: number, header without its first octet
    std::string_view payload = "OPTIONS sip:a SIP/2.0\r\n\r\n";
    unsigned fragment_field = 0x4000; // IPv4: DF
    std::size_t padding = 0;          // after the IP packet
    unsigned protocol = 17;

    [[nodiscard]] Octets frame() const {
        Octets out;
        append(out, {0x02, 0, 0, 0, 0, 0xb, 0x02, 0, 0, 0, 0, 0xa});
        for (const auto& [tpid, tci] : vlans) {
            append16(out, tpid);
            append16(out, tci);
        }
        append16(out, v4 ? 0x0800 : 0x86dd);
        const std::size_t udp = 8 + payload.size();
        if (v4) {
            const std::size_t header = 20 + ip_options.size();
            append(out, {static_cast<unsigned>(0x40 | header / 4), 0x61}); // CS3 and an ECN bit
            append16(out, header + udp);
            append16(out, 0x1234);
            append16(out, fragment_field);
            append(out, {57, protocol, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2});
            out.insert(out.end(), ip_options.begin(), ip_options.end());
        } else {
            std::size_t length = udp;
            for (const auto& extension : extensions) {
                length += 1 + extension.second.size();
            }
            append(out, {0x66, 0x1a, 0xbc, 0xde});
            append16(out, length);
            append(out, {extensions.empty() ? protocol : extensions.front().first, 57});
            append(out, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
            append(out, {0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2});
            for (std::size_t i = 0; i < extensions.size(); ++i) {
                append(out, {i + 1 < extensions.size() ? extensions[i + 1].first : protocol});
                out.insert(out.end(), extensions[i].second.begin(), extensions[i].second.end());
            }
        }
        append16(out, 5060);
        append16(out, 5062);
        append16(out, udp);
        append16(out, 0xdead); // a partial checksum, as a local sender leaves it
        append(out, payload);
        out.insert(out.end(), padding, 0xee);
        return out;
    }
};

// RFC 1071 in the plainest way: octet by octet, carry at once. 0 means right, when the field is included.
inline unsigned plain_checksum(std::span<const std::uint8_t> octets, unsigned start = 0) {
    unsigned sum = start;
    for (std::size_t i = 0; i < octets.size(); ++i) {
        sum += i % 2 == 0 ? octets[i] * 256U : octets[i];
        if (sum > 0xffff) {
            sum -= 0xffff;
        }
    }
    return 0xffff - sum;
}

// 0 when the UDP checksum of the whole frame is right.
inline unsigned udp_residue(std::span<const std::uint8_t> frame, std::size_t l3, std::size_t l4) {
    const bool v4 = frame[l3] >> 4U == 4;
    const std::size_t length = frame[l4 + 4] * std::size_t{256} + frame[l4 + 5];
    Octets pseudo;
    const auto addresses = v4 ? frame.subspan(l3 + 12, 8) : frame.subspan(l3 + 8, 32);
    pseudo.insert(pseudo.end(), addresses.begin(), addresses.end());
    append(pseudo, {0, 17});
    append16(pseudo, length);
    const auto datagram = frame.subspan(l4, length);
    pseudo.insert(pseudo.end(), datagram.begin(), datagram.end());
    return plain_checksum(pseudo);
}

} // namespace stem::test
