// SPDX-License-Identifier: Apache-2.0
#include "lab/rtp_port.h"

#include "lab/audio.h"
#include "lab/socket_address.h"

#include <sys/socket.h>

#include <array>
#include <random>
#include <string_view>
#include <utility>

namespace stem::lab {

using namespace std::chrono_literals;

namespace {

constexpr std::uint8_t pcmu = 0;
// Further behind than this, the clock starts anew instead of sending a burst that no phone would send.
constexpr auto most_behind = 200ms;
constexpr auto report_interval = 1s;

class PacketWriter {
  public:
    explicit PacketWriter(std::vector<std::uint8_t>& packet) : packet_(packet) { packet_.clear(); }
    PacketWriter& u8(unsigned value) { return number(value, 1); }
    PacketWriter& u16(unsigned value) { return number(value, 2); }
    PacketWriter& u32(std::uint64_t value) { return number(value, 4); }
    PacketWriter& text(std::string_view text) {
        packet_.insert(packet_.end(), text.begin(), text.end());
        return *this;
    }

  private:
    PacketWriter& number(std::uint64_t value, unsigned octets) {
        while (octets-- > 0) {
            packet_.push_back(static_cast<std::uint8_t>(value >> (8 * octets)));
        }
        return *this;
    }
    std::vector<std::uint8_t>& packet_;
};

std::vector<std::uint8_t> encoded_audio(std::uint8_t payload_type) {
    static const auto samples = speech_like(8s);
    std::vector<std::uint8_t> octets;
    octets.reserve(samples.size());
    for (const auto sample : samples) {
        octets.push_back(payload_type == pcmu ? to_mu_law(sample) : to_a_law(sample));
    }
    return octets;
}

std::uint32_t random_number() {
    static thread_local std::mt19937 source{std::random_device{}()};
    return static_cast<std::uint32_t>(source());
}

Endpoint next_port(Endpoint endpoint) {
    ++endpoint.port;
    return endpoint;
}

} // namespace

Result<RtpPort> RtpPort::open(const RtpStream& stream) {
    auto rtp = bind_udp(stream.local);
    if (!rtp) {
        return std::unexpected(rtp.error());
    }
    UniqueFd rtcp;
    if (stream.rtcp) {
        auto bound = bind_udp(next_port(stream.local));
        if (!bound) {
            return std::unexpected(bound.error());
        }
        rtcp = std::move(*bound);
    }
    return RtpPort(stream, std::move(*rtp), std::move(rtcp));
}

RtpPort::RtpPort(RtpStream stream, UniqueFd rtp, UniqueFd rtcp)
    : stream_(stream), rtp_(std::move(rtp)), rtcp_(std::move(rtcp)),
      audio_(encoded_audio(stream.payload_type)), sequence_(static_cast<std::uint16_t>(random_number())),
      timestamp_(random_number()), ssrc_(stream.ssrc.value_or(random_number())) {
}

RtpPort::Clock::duration RtpPort::interval() const {
    const double rate = stream_.rate > 0 ? stream_.rate : 1;
    return std::chrono::duration_cast<Clock::duration>(stream_.packet_time / rate);
}

void RtpPort::begin(Clock::time_point first_packet) {
    if (!sending_) {
        marker_ = true;
        due_ = first_packet;
        sending_ = true;
    }
}

void RtpPort::send_due(Clock::time_point now) {
    if (sends() && now - due_ > most_behind) {
        due_ = now;
    }
    while (sends() && due_ <= now) {
        send_packet();
        due_ += interval();
    }
    if (rtcp_ && sends() && counts_.sent > 0 && next_report_ <= now) {
        send_report();
        next_report_ = now + report_interval;
    }
}

void RtpPort::send_packet() {
    static thread_local std::vector<std::uint8_t> packet;
    PacketWriter(packet)
        .u8(0x80) // version 2
        .u8((marker_ ? 0x80U : 0U) | stream_.payload_type)
        .u16(sequence_)
        .u32(timestamp_)
        .u32(ssrc_);
    for (std::size_t octet = 0; octet < stream_.payload_octets; ++octet) {
        packet.push_back(audio_[played_]);
        played_ = (played_ + 1) % audio_.size();
    }
    if (transmit(rtp_.get(), stream_.remote, packet)) {
        ++counts_.sent;
        counts_.sent_octets += packet.size();
    } else {
        ++counts_.send_errors;
    }
    marker_ = false;
    ++sequence_;
    timestamp_ += static_cast<std::uint32_t>(stream_.packet_time.count()) * audio_rate / 1000;
}

void RtpPort::send_report() {
    constexpr std::string_view cname = "lab@example.net";
    constexpr std::uint64_t seconds_from_1900_to_1970 = 2208988800;
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wall);
    const auto fraction = std::chrono::duration_cast<std::chrono::nanoseconds>(wall - seconds).count();

    std::vector<std::uint8_t> packet;
    PacketWriter writer(packet);
    // RFC 3550 6.4.1: a sender report without reception blocks, seven words
    writer.u8(0x80).u8(200).u16(6).u32(ssrc_);
    writer.u32(static_cast<std::uint64_t>(seconds.count()) + seconds_from_1900_to_1970);
    writer.u32((static_cast<std::uint64_t>(fraction) << 32U) / 1'000'000'000U);
    writer.u32(timestamp_).u32(counts_.sent).u32(counts_.sent * stream_.payload_octets);
    // 6.5: one chunk; its items end with a zero octet, on a word: 4 + 2 + 15 + 3 octets, six words
    writer.u8(0x81)
        .u8(202)
        .u16(6)
        .u32(ssrc_)
        .u8(1)
        .u8(static_cast<unsigned>(cname.size()))
        .text(cname)
        .u8(0)
        .u16(0);
    if (transmit(rtcp_.get(), next_port(stream_.remote), packet)) {
        ++counts_.rtcp_sent;
    }
}

bool RtpPort::transmit(int socket, const Endpoint& to, std::span<const std::uint8_t> packet) {
    const sockaddr_in6 address = to_socket_address(to);
    return sendto(socket, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&address),
                  sizeof address) == static_cast<ssize_t>(packet.size());
}

bool RtpPort::is_expected(std::span<const std::uint8_t> packet) const {
    if (!stream_.remote_ssrc || packet.size() < 12) {
        return true;
    }
    const std::uint32_t ssrc = std::uint32_t{packet[8]} << 24U | std::uint32_t{packet[9]} << 16U |
                               std::uint32_t{packet[10]} << 8U | packet[11];
    return ssrc == *stream_.remote_ssrc;
}

void RtpPort::receive_rtp(Clock::time_point now) {
    std::array<std::uint8_t, 2048> packet{};
    for (;;) {
        sockaddr_in6 from{};
        socklen_t length = sizeof from;
        const auto received = recvfrom(rtp_.get(), packet.data(), packet.size(), 0,
                                       reinterpret_cast<sockaddr*>(&from), &length);
        if (received < 0) {
            return;
        }
        const auto octets = std::span(packet).first(static_cast<std::size_t>(received));
        if ((stream_.remote.port != 0 && to_endpoint(from) != stream_.remote) || !is_expected(octets)) {
            ++counts_.foreign;
        } else if (!receiver_.take(octets, now)) {
            ++counts_.not_rtp;
        }
    }
}

void RtpPort::receive_rtcp() {
    std::array<std::uint8_t, 2048> packet{};
    while (rtcp_ && recv(rtcp_.get(), packet.data(), packet.size(), 0) >= 0) {
        ++counts_.rtcp_received;
    }
}

RtpCounts RtpPort::counts() const {
    RtpCounts counts = counts_;
    counts.received = receiver_.received();
    counts.received_octets = receiver_.octets();
    counts.lost = receiver_.lost();
    counts.duplicates = receiver_.duplicates();
    counts.reordered = receiver_.reordered();
    counts.first_received = receiver_.first();
    counts.last_received = receiver_.last();
    counts.longest_gap = receiver_.longest_gap();
    return counts;
}

} // namespace stem::lab
