// SPDX-License-Identifier: Apache-2.0
#include <ctl/tcp/options.h>

#include <ctl/frame/octets.h>

namespace stem::tcp {
namespace {

// IANA, TCP option kinds.
enum Kind : std::uint8_t {
    kind_end = 0,
    kind_nop = 1,
    kind_mss = 2,
    kind_timestamps = 8,
    kind_md5 = 19,
    kind_authentication = 29,
};
constexpr std::size_t mss_length = 4;
constexpr std::size_t timestamps_length = 10;

} // namespace

Options read_options(frame::Bytes octets) noexcept {
    Options options;
    std::size_t at = 0;
    while (at < octets.size() && octets[at] != kind_end) {
        if (octets[at] == kind_nop) {
            ++at;
            continue;
        }
        if (octets.size() - at < 2 || octets[at + 1] < 2 || octets[at + 1] > octets.size() - at) {
            break;
        }
        const std::size_t length = octets[at + 1];
        switch (octets[at]) {
        case kind_mss:
            if (length == mss_length) {
                options.mss = frame::read16(octets, at + 2);
            }
            break;
        case kind_timestamps:
            if (length == timestamps_length) {
                options.timestamps =
                    Timestamps{.value = frame::read32(octets, at + 2), .echo = frame::read32(octets, at + 6)};
            }
            break;
        case kind_md5:
        case kind_authentication:
            options.is_signed = true;
            break;
        default:
            break;
        }
        at += length;
    }
    return options;
}

OptionOctets OptionOctets::write(std::optional<std::uint16_t> mss,
                                 std::optional<Timestamps> timestamps) noexcept {
    OptionOctets options;
    auto& octets = options.octets_;
    std::size_t& at = options.length_;
    if (mss) {
        octets[at] = kind_mss;
        octets[at + 1] = mss_length;
        frame::write16(octets, at + 2, *mss);
        at += mss_length;
    }
    if (timestamps) {
        octets[at] = kind_nop;
        octets[at + 1] = kind_nop;
        octets[at + 2] = kind_timestamps;
        octets[at + 3] = timestamps_length;
        frame::write32(octets, at + 4, timestamps->value);
        frame::write32(octets, at + 8, timestamps->echo);
        at += timestamp_octets;
    }
    return options;
}

} // namespace stem::tcp
