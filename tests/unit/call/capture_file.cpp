// SPDX-License-Identifier: Apache-2.0
#include "capture_file.h"

#include <ctl/fragment/reassembly.h>
#include <ctl/frame/octets.h>
#include <ctl/frame/tcp.h>
#include <ctl/frame/view.h>
#include <ctl/tcp/framer.h>
#include <ctl/tcp/reassembly.h>

#include <net/ethernet.h>
#include <netinet/in.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace stem::call {
namespace {

using frame::Bytes;
using frame::read16;
using Octets = std::vector<std::uint8_t>;

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr unsigned pppoe_session = 0x8864; // RFC 2516; of its eight octets two are PPP's protocol

struct Record {
    std::uint64_t time_ns = 0;
    int link = DLT_EN10MB;
    Octets octets;
};

Result<std::vector<Record>> read_pcap(const std::string& path) {
    char error[PCAP_ERRBUF_SIZE] = "";
    const std::unique_ptr<pcap_t, decltype(&pcap_close)> file(
        pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, error),
        &pcap_close);
    if (!file) {
        return fail("read " + path, error);
    }
    std::vector<Record> records;
    pcap_pkthdr* header = nullptr;
    const u_char* octets = nullptr;
    while (pcap_next_ex(file.get(), &header, &octets) == 1) {
        // With that precision the field of microseconds has nanoseconds.
        records.push_back({.time_ns = static_cast<std::uint64_t>(header->ts.tv_sec) * second_ns +
                                      static_cast<std::uint64_t>(header->ts.tv_usec),
                           .link = pcap_datalink(file.get()),
                           .octets = {octets, octets + header->caplen}});
    }
    return records;
}

// Endace's format, which libpcap does not read from files: an 8-octet time in 2^-32 seconds, little-endian,
// then type, flags, length of the record, losses, and length on the wire, in network order. Of Ethernet two
// octets of padding follow.
Result<std::vector<Record>> read_erf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const Octets octets{std::istreambuf_iterator<char>(file), {}};
    constexpr std::size_t header = 18;
    constexpr unsigned type_ethernet = 2;
    std::vector<Record> records;
    for (std::size_t at = 0; at + header <= octets.size();) {
        const std::size_t length = read16(octets, at + 10);
        if (octets[at + 8] != type_ethernet || length < header || at + length > octets.size()) {
            return fail("read " + path, "a record that is not Ethernet's");
        }
        std::uint64_t time = 0;
        for (std::size_t i = 8; i-- > 0;) {
            time = time << 8U | octets[at + i];
        }
        const Bytes captured = Bytes(octets).subspan(at + header, length - header);
        records.push_back({.time_ns = (time >> 32U) * second_ns + (((time & 0xffffffffU) * second_ns) >> 32U),
                           .octets = {captured.begin(), captured.end()}});
        at += length;
    }
    return records;
}

// The IP packet behind a link's header; nothing: it is not one.
std::optional<Bytes> packet_in(const Record& record) {
    const Bytes octets = record.octets;
    std::size_t at = 0;
    switch (record.link) {
    case DLT_NULL: // the address family, in the order of the host that captured
        at = 4;
        break;
    case DLT_RAW:
    case DLT_IPV4:
        break;
    case DLT_LINUX_SLL:
        at = 16;
        break;
    case DLT_EN10MB:
        at = frame::ethernet_header;
        while (octets.size() >= at + frame::vlan_tag && read16(octets, at - 2) == ETHERTYPE_VLAN) {
            at += frame::vlan_tag;
        }
        if (octets.size() >= at && read16(octets, at - 2) == pppoe_session) {
            at += 8;
        }
        break;
    default:
        return std::nullopt;
    }
    if (octets.size() <= at || (octets[at] >> 4U != 4 && octets[at] >> 4U != 6)) {
        return std::nullopt;
    }
    return octets.subspan(at);
}

Octets as_frame(Bytes packet) {
    Octets made(frame::ethernet_header + packet.size());
    frame::write16(made, frame::ethernet_header - 2, packet[0] >> 4U == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
    std::ranges::copy(packet, made.begin() + frame::ethernet_header);
    return made;
}

// What a GTP-U G-PDU carries (3GPP TS 29.281 5.1); nothing: it is none.
std::optional<Bytes> carried_by_gtp(Bytes payload) {
    constexpr std::size_t header = 8;
    constexpr unsigned version_1 = 1;
    constexpr unsigned has_options = 7; // an extension, a sequence number or an N-PDU number
    constexpr unsigned g_pdu = 255;
    if (payload.size() <= header || payload[0] >> 5U != version_1 || payload[1] != g_pdu) {
        return std::nullopt;
    }
    std::size_t at = header;
    if ((payload[0] & has_options) != 0) {
        at += 4;
        // Each extension says its length in words; its last octet is the next one's type.
        while (at < payload.size() && payload[at - 1] != 0 && payload[at] != 0) {
            at += std::size_t{payload[at]} * 4;
        }
    }
    if (at >= payload.size() || (payload[at] >> 4U != 4 && payload[at] >> 4U != 6)) {
        return std::nullopt;
    }
    return payload.subspan(at);
}

// The innermost IP packet, as the data plane would see it on a link of its own.
Octets peel(Octets outer) {
    constexpr std::uint16_t gtp_u = 2152;
    for (;;) {
        const auto ip = frame::parse_ip(outer);
        if (!ip || ip->fragment) {
            return outer;
        }
        std::optional<Bytes> inner;
        if (ip->protocol == IPPROTO_IPIP || ip->protocol == IPPROTO_IPV6) {
            inner = ip->packet(outer).subspan(ip->l4 - ip->l3);
        } else if (const auto udp = frame::parse_frame(outer); udp && udp->destination.port == gtp_u) {
            inner = carried_by_gtp(udp->payload_of(outer));
        }
        if (!inner || inner->empty()) {
            return outer;
        }
        outer = as_frame(*inner);
    }
}

std::string text_of(Bytes octets) {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

bool is_sip(const Endpoint& source, const Endpoint& destination, std::string_view payload) {
    constexpr std::uint16_t port = 5060;
    constexpr std::size_t keep_alive = 4; // octets: CRLF CRLF, or as many zeros
    const auto line = payload.substr(0, payload.find('\r'));
    return line.starts_with("SIP/2.0 ") || line.ends_with(" SIP/2.0") ||
           (payload.size() > keep_alive && (source.port == port || destination.port == port));
}

class Reader {
  public:
    void read(const CapturedFrame& frame) {
        now_ = frame.time_ns;
        const Octets& octets = frame.octets;
        if (const auto datagram = frame::parse_frame(octets); datagram) {
            datagram->fragment
                ? join(*datagram, octets)
                : pass(datagram->source, datagram->destination, false, text_of(datagram->payload_of(octets)));
        } else if (const auto segment = frame::parse_tcp(octets); segment) {
            take(*segment, text_of(segment->payload_of(octets)));
        }
    }
    CaptureFile done() { return std::move(result_); }

  private:
    struct Fragment final : fragment::Holder {
        Fragment(const frame::FrameView& seen, Octets octets) : view(seen), frame(std::move(octets)) {}
        frame::FrameView view;
        Octets frame;
    };
    struct Stream {
        tcp::Reassembly segments;
        tcp::Framer framer{tcp::FramingLimits{}};
        bool broken = false;
    };

    void pass(const Endpoint& source, const Endpoint& destination, bool tcp, std::string payload) {
        result_.passing.push_back({.time_ns = now_,
                                   .source = source,
                                   .destination = destination,
                                   .tcp = tcp,
                                   .payload = std::move(payload)});
    }

    void join(const frame::FrameView& view, const Octets& octets) {
        fragments_.expire(now_);
        const fragment::Key key{.source = view.source_address.raw(),
                                .destination = view.destination_address.raw(),
                                .id = view.fragment->id};
        auto holder = std::make_unique<Fragment>(view, octets);
        const Bytes bytes = holder->frame;
        auto [outcome, pieces] = fragments_.add(key,
                                                {.offset = view.fragment->offset,
                                                 .more = view.fragment->more,
                                                 .octets = bytes.subspan(view.l4, view.end() - view.l4),
                                                 .holder = std::move(holder)},
                                                now_);
        if (outcome != fragment::Outcome::whole) {
            return;
        }
        std::string datagram;
        for (const auto& piece : pieces) {
            datagram += text_of(piece.octets);
        }
        const auto& first = static_cast<const Fragment&>(*pieces.front().holder).view;
        pass(first.source, first.destination, false, datagram.substr(frame::udp_header));
    }

    // Captures begin where they like: a stream is followed from its first segment that looks like SIP.
    void take(const frame::TcpView& view, const std::string& payload) {
        const auto ends = std::pair(view.source, view.destination);
        auto found = streams_.find(ends);
        if ((view.flags & frame::tcp_syn) != 0 && found != streams_.end()) {
            streams_.erase(found); // the same ports anew
            found = streams_.end();
        }
        if (found == streams_.end()) {
            if (!is_sip(view.source, view.destination, payload)) {
                return;
            }
            constexpr std::size_t capacity = 65536;
            found =
                streams_.emplace(ends, Stream{.segments = tcp::Reassembly(view.sequence, capacity)}).first;
        }
        Stream& stream = found->second;
        stream.segments.take(view.sequence, payload);
        while (!stream.broken) {
            const tcp::Step step = stream.framer.look(stream.segments.ready());
            if (step.kind == tcp::Step::Kind::more) {
                return;
            }
            if (step.kind == tcp::Step::Kind::broken) {
                stream.broken = true;
                result_.broken.push_back(step.reason);
                return;
            }
            if (step.kind == tcp::Step::Kind::message) {
                pass(view.source, view.destination, true,
                     std::string(stream.segments.ready().substr(0, step.length)));
            }
            stream.segments.consume(step.length);
        }
    }

    std::uint64_t now_ = 0;
    fragment::Reassembly fragments_{fragment::Limits{}};
    std::map<std::pair<Endpoint, Endpoint>, Stream> streams_; // one way each
    CaptureFile result_;
};

} // namespace

bool Passing::is_sip() const {
    return call::is_sip(source, destination, payload);
}

std::filesystem::path captures() {
    const char* given = std::getenv("STEM_SHARED_DATA");
    const std::filesystem::path data = given != nullptr
                                           ? std::filesystem::path(given)
                                           : std::filesystem::path(STEM_SOURCE_DIR) / "../shared/data";
    return data / "03-pcap";
}

Result<std::vector<CapturedFrame>> read_frames(const std::filesystem::path& path) {
    const auto records = path.extension() == ".erf" ? read_erf(path) : read_pcap(path);
    if (!records) {
        return std::unexpected(records.error());
    }
    std::vector<CapturedFrame> frames;
    for (const Record& record : *records) {
        if (const auto packet = packet_in(record); packet) {
            frames.push_back({.time_ns = record.time_ns, .octets = peel(as_frame(*packet))});
        }
    }
    return frames;
}

Result<CaptureFile> read_capture(const std::filesystem::path& path) {
    const auto frames = read_frames(path);
    if (!frames) {
        return std::unexpected(frames.error());
    }
    Reader reader;
    for (const CapturedFrame& frame : *frames) {
        reader.read(frame);
    }
    return reader.done();
}

} // namespace stem::call
