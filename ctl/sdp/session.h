// SPDX-License-Identifier: Apache-2.0
// Session descriptions (RFC 8866), read by our own tolerant and bounded line scanner: real phones leave out
// the last CRLF, put t= before c=, and add lines of their own, and libosip2 refuses all three.
#pragma once

#include <stem/abi/dialog.h>
#include <stem/abi/reason.h>
#include <stem/address.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/sdp/fax.h"

namespace stem::sdp {

struct Limits {
    std::size_t body = 6144; // octets
    std::size_t lines = 256;
    std::size_t line = 1024;                      // octets
    std::size_t media = 16;                       // m= lines
    std::size_t formats = 32;                     // payload types of one m= line
    std::size_t candidates = STEM_CANDIDATES_MAX; // ICE candidates that are kept of one m= line
};

enum class Direction : std::uint8_t { sendrecv, sendonly, recvonly, inactive };

// One payload type of an m= line, with what a=rtpmap and a=fmtp say of it, or RFC 3551's table.
struct Format {
    std::uint8_t payload_type = 0; // 0..127
    std::string encoding;          // upper case: "PCMU", "OPUS", "TELEPHONE-EVENT"; "" = not known
    std::uint32_t clock_rate = 0;  // Hz
    std::string parameters;        // fmtp, as it stood
    std::uint8_t channels = 0;     // 0 = not said: one
};

// Where a party may also be reached (RFC 8839 5.1).
struct Candidate {
    Address address;
    std::uint16_t port = 0;
    std::uint8_t component = 1; // 1 RTP, 2 RTCP
    std::uint32_t priority = 0;
};

struct Media {
    std::string kind;                    // "audio", "video", ... lower case
    std::string protocol;                // "RTP/AVP", ... upper case
    std::uint16_t port = 0;              // 0 = refused (RFC 3264 6)
    std::uint16_t rtcp_port = 0;         // a=rtcp (RFC 3605), else port + 1; 0 where there is none
    Address address;                     // c= of the line, or of the session
    std::optional<Address> rtcp_address; // a=rtcp with an address of its own
    Direction direction = Direction::sendrecv;
    std::vector<Format> formats;
    std::uint32_t ptime_ms = 0;            // 0 = not said
    std::uint32_t maxptime_ms = 0;         // 0 = not said
    std::uint32_t as_kbps = 0;             // b=AS (RFC 8866 5.8), of the line or of the session; 0 = not said
    std::uint32_t tias_bps = 0;            // b=TIAS (RFC 3890); 0 = not said
    std::optional<std::uint32_t> rtcp_bps; // b=RS + b=RR (RFC 3556)
    bool rtcp_mux = false;                 // RFC 5761
    std::string mid;                       // RFC 5888
    std::optional<std::size_t> bundle;     // the line whose place it shares, itself maybe (RFC 9143)
    bool bundle_only = false;
    bool ice = false;                  // it has ICE credentials, and no mismatch (RFC 8839)
    bool fingerprint = false;          // keys come by DTLS (RFC 8122), its own or the session's
    std::vector<Candidate> candidates; // the preferred first; RTP's before RTCP's
    Fax fax;

    // Media over RTP (RTP/AVP, RTP/SAVP, their F variants, and the DTLS ones).
    [[nodiscard]] bool is_rtp() const;
    [[nodiscard]] bool is_udptl() const; // fax over UDP (T.38)
    // What pinholes are opened for.
    [[nodiscard]] bool is_opened() const { return is_rtp() || is_udptl(); }
    // Trickle ICE before its first candidate: the place that is said is none (RFC 8840 4.1.1).
    [[nodiscard]] bool has_no_place_yet() const;
};

struct Session {
    std::uint64_t version = 0; // of o=; rises with each change (RFC 3264 8)
    std::vector<Media> media;
};

struct Rejection {
    stem_reason reason; // SDP_MALFORMED
    std::string what;   // "line 4: 'c=IN IP4 example.org': host names are refused"
};

std::expected<Session, Rejection> parse(std::string_view body, const Limits& limits);

// What the kernel must police for media sent *towards* the party that described it: the receiver's payload
// types, the largest rate among them (a sender may switch without a word), sizes, RTCP's share. From the
// codec table of codecs.h: IP level, 10 ms packets allowed unless the codec has a fixed frame, margin
// included. A line that is neither RTP nor fax, or refused, gives rtp_port 0.
stem_media policed(const Media& media);

// RTCP packets per second that so many bytes are: reports are small, and video asks for repairs often.
std::uint32_t rtcp_packets_for(std::uint64_t bytes_per_second);

} // namespace stem::sdp
