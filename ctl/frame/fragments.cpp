// SPDX-License-Identifier: Apache-2.0
#include <ctl/frame/checksum.h>
#include <ctl/frame/fragments.h>
#include <ctl/frame/octets.h>

#include <netinet/in.h>

#include <algorithm>

namespace stem::frame {
namespace {

using Frame = std::vector<std::uint8_t>;

constexpr std::size_t fragment_header = 8; // RFC 8200 4.5
constexpr std::size_t fragment_unit = 8;   // octets
constexpr std::size_t smallest_mtu = 68;   // RFC 791 3.2
constexpr std::size_t datagram_max = 65535;
constexpr std::size_t more_v4 = 0x2000;

// Where one fragment is in its datagram, or the whole.
struct Slice {
    std::size_t offset = 0;
    bool more = false;
    bool fragment = false;
};

class Writer {
  public:
    Writer(const FrameView& view, Bytes original, std::uint32_t id)
        : view_(view), original_(original), id_(id) {}

    [[nodiscard]] Frame frame(Bytes datagram, const Slice& slice) const {
        const std::size_t extension = !view_.v4 && slice.fragment ? fragment_header : 0;
        const std::size_t header = (view_.v4 ? ipv4_header : ipv6_header) + extension;
        Frame out(view_.l3 + header + datagram.size(), 0);
        std::ranges::copy(original_.first(view_.l3), out.begin());
        if (view_.v4) {
            write_v4(out, slice, header + datagram.size());
        } else {
            write_v6(out, slice, extension + datagram.size());
        }
        std::ranges::copy(datagram, out.begin() + static_cast<std::ptrdiff_t>(view_.l3 + header));
        out.resize(std::max(out.size(), ethernet_minimum), 0);
        return out;
    }

    // UDP's header and the payload, with the checksum of the whole.
    [[nodiscard]] Frame datagram(Bytes payload) const {
        Frame octets(udp_header, 0);
        write16(octets, 0, view_.source.port);
        write16(octets, 2, view_.destination.port);
        write16(octets, 4, udp_header + payload.size());
        octets.insert(octets.end(), payload.begin(), payload.end());
        Frame whole = frame(octets, {});
        const std::size_t l4 = view_.l3 + (view_.v4 ? ipv4_header : ipv6_header);
        write_udp_checksum(whole, view_.l3, l4, view_.v4);
        octets[6] = whole[l4 + 6];
        octets[7] = whole[l4 + 7];
        return octets;
    }

  private:
    static Frame::iterator at(Frame& out, std::size_t offset) {
        return out.begin() + static_cast<std::ptrdiff_t>(offset);
    }
    void write_v4(Frame& out, const Slice& slice, std::size_t ip_length) const {
        const std::size_t l3 = view_.l3;
        out[l3] = 0x45;
        out[l3 + 1] = view_.traffic_class;
        write16(out, l3 + 2, ip_length);
        write16(out, l3 + 4, id_ & 0xffffU);
        write16(out, l3 + 6, slice.offset / fragment_unit | (slice.more ? more_v4 : 0U));
        out[l3 + 8] = view_.ttl;
        out[l3 + 9] = IPPROTO_UDP;
        std::ranges::copy(view_.source.address.v4_octets(), at(out, l3 + 12));
        std::ranges::copy(view_.destination.address.v4_octets(), at(out, l3 + 16));
        write_ipv4_checksum(out, l3);
    }

    void write_v6(Frame& out, const Slice& slice, std::size_t payload_length) const {
        const std::size_t l3 = view_.l3;
        std::ranges::copy(original_.subspan(l3, ipv6_header), out.begin() + static_cast<std::ptrdiff_t>(l3));
        std::ranges::copy(view_.source.address.octets(), at(out, l3 + 8));
        std::ranges::copy(view_.destination.address.octets(), at(out, l3 + 24));
        write16(out, l3 + 4, payload_length);
        out[l3 + 6] = static_cast<std::uint8_t>(slice.fragment ? int{IPPROTO_FRAGMENT} : int{IPPROTO_UDP});
        if (slice.fragment) {
            const std::size_t header = l3 + ipv6_header;
            out[header] = IPPROTO_UDP;
            out[header + 1] = 0;
            write16(out, header + 2, slice.offset | (slice.more ? 1U : 0U));
            write16(out, header + 4, id_ >> 16U);
            write16(out, header + 6, id_ & 0xffffU);
        }
    }

    const FrameView& view_;
    Bytes original_;
    std::uint32_t id_;
};

} // namespace

std::expected<std::vector<std::vector<std::uint8_t>>, BuildError>
make_datagram(const FrameView& view, Bytes original, Bytes payload, std::uint32_t id, std::size_t mtu) {
    const std::size_t header = view.v4 ? ipv4_header : ipv6_header;
    if (mtu < smallest_mtu || udp_header + payload.size() + header > datagram_max) {
        return std::unexpected(BuildError::over_mtu);
    }
    const Writer writer(view, original, id);
    const Frame datagram = writer.datagram(payload);
    std::vector<Frame> frames;
    if (header + datagram.size() <= mtu) {
        frames.push_back(writer.frame(datagram, {}));
        return frames;
    }
    const std::size_t extension = view.v4 ? 0 : fragment_header;
    const std::size_t most = (mtu - header - extension) / fragment_unit * fragment_unit;
    for (std::size_t at = 0; at < datagram.size(); at += most) {
        const std::size_t length = std::min(most, datagram.size() - at);
        frames.push_back(
            writer.frame(Bytes(datagram).subspan(at, length),
                         {.offset = at, .more = at + length < datagram.size(), .fragment = true}));
    }
    return frames;
}

} // namespace stem::frame
