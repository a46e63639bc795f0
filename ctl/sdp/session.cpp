// SPDX-License-Identifier: Apache-2.0
#include "ctl/sdp/session.h"

#include "ctl/sdp/bundle.h"
#include "ctl/sdp/candidates.h"
#include "ctl/sdp/formats.h"
#include "ctl/sdp/numbers.h"

#include <fmt/core.h>

#include <algorithm>

namespace stem::sdp {
namespace {

constexpr auto npos = std::string_view::npos;
using Failure = std::optional<std::string>;

// b= lines of one level.
struct Bandwidth {
    std::optional<std::uint32_t> as_kbps;
    std::optional<std::uint32_t> tias_bps;
    std::optional<std::uint32_t> senders_bps;   // RS
    std::optional<std::uint32_t> receivers_bps; // RR

    void read(std::string_view value) {
        const std::size_t colon = value.find(':');
        if (colon == npos) {
            return;
        }
        const auto number = number_in(value.substr(colon + 1));
        if (!number) {
            return; // what cannot be read counts as not said: a rate of our own is taken
        }
        const std::string_view type = value.substr(0, colon);
        if (type == "AS") {
            as_kbps = clamped(*number);
        } else if (type == "TIAS") {
            tias_bps = clamped(*number);
        } else if (type == "RS") {
            senders_bps = clamped(*number);
        } else if (type == "RR") {
            receivers_bps = clamped(*number);
        }
    }
};

// An m= line and what belongs to it, while lines are still to come.
struct Section {
    Media media;
    Bandwidth bandwidth;
    std::optional<Address> connection;
    std::optional<Direction> direction;
    bool rtcp_said = false;
    bool ice_mismatch = false;
};

class Reader {
  public:
    explicit Reader(const Limits& limits) : limits_(limits) {}

    std::expected<Session, Rejection> read(std::string_view body);

  private:
    Failure read_line(std::string_view line);
    Failure read_media(std::string_view value);
    Failure read_formats(std::string_view value, Media& media) const;
    Failure read_connection(std::string_view value);
    Failure read_attribute(std::string_view value);
    Failure read_rtcp(std::string_view value, Section& section) const;
    void read_session_attribute(std::string_view name, std::string_view value);
    static bool read_transport_attribute(std::string_view name, std::string_view value, Section& section);
    void read_origin(std::string_view value);
    Failure finish();

    Limits limits_;
    Session session_;
    std::optional<Address> connection_;
    std::optional<Direction> direction_;
    Bandwidth bandwidth_;
    std::vector<Section> sections_;
    std::vector<std::string> bundles_;
    bool ice_ = false;
    bool fingerprint_ = false;
    bool version_seen_ = false;
};

// "IN IP4 192.0.2.1", with "/ttl/count" after a multicast address.
std::expected<Address, std::string> read_address(std::string_view value) {
    const std::string_view network = next_word(value);
    const std::string_view family = next_word(value);
    const std::string_view text = next_word(value);
    if (!same_letters(network, "IN") || (!same_letters(family, "IP4") && !same_letters(family, "IP6")) ||
        text.empty()) {
        return std::unexpected("neither IN IP4 nor IN IP6 and an address");
    }
    auto address = Address::parse(text.substr(0, text.find('/')));
    if (!address) {
        return std::unexpected("no address: host names are refused");
    }
    if (same_letters(family, "IP4") && !address->is_v4()) {
        return std::unexpected("an IPv6 address called IP4");
    }
    if (same_letters(family, "IP6") && text.find(':') == npos) {
        return std::unexpected("an IPv4 address called IP6");
    }
    return *address;
}

// "<name> <session> <version> IN IP4 <address>"; read for the version alone.
void Reader::read_origin(std::string_view value) {
    next_word(value);
    next_word(value);
    session_.version = number_in(next_word(value)).value_or(0);
}

Failure Reader::read_connection(std::string_view value) {
    const auto address = read_address(value);
    if (!address) {
        return address.error();
    }
    auto& place = sections_.empty() ? connection_ : sections_.back().connection;
    if (place && *place != *address) {
        return "a second c= line with another address";
    }
    place = *address;
    return std::nullopt;
}

// RFC 8866 5.14: <media> <port>["/"<count>] <proto> <fmt> ...
Failure Reader::read_media(std::string_view value) {
    if (sections_.size() == limits_.media) {
        return fmt::format("more than {} m= lines", limits_.media);
    }
    Section section;
    Media& media = section.media;
    media.kind = changed(next_word(value), lower_letter);
    const std::string_view ports = next_word(value);
    const std::size_t slash = ports.find('/');
    const auto port = number_in(ports.substr(0, slash));
    if (!port || *port > 65535 || (slash != npos && !number_in(ports.substr(slash + 1)))) {
        return "port is not in 0 to 65535";
    }
    media.port = static_cast<std::uint16_t>(*port);
    media.protocol = changed(next_word(value), upper_letter);
    if (media.protocol.empty()) {
        return "no protocol";
    }
    if (auto bad = media.is_rtp() ? read_formats(value, media) : std::nullopt) {
        return bad;
    }
    sections_.push_back(std::move(section));
    return std::nullopt;
}

Failure Reader::read_formats(std::string_view value, Media& media) const {
    std::size_t count = 0;
    for (std::string_view word = next_word(value); !word.empty(); word = next_word(value)) {
        const auto type = number_in(word);
        if (!type || *type > 127) {
            return "payload type is not in 0 to 127";
        }
        if (++count > limits_.formats) {
            return fmt::format("more than {} payload types", limits_.formats);
        }
        const auto payload_type = static_cast<std::uint8_t>(*type);
        if (std::ranges::find(media.formats, payload_type, &Format::payload_type) == media.formats.end()) {
            Format& format = media.formats.emplace_back();
            format.payload_type = payload_type;
        }
    }
    if (media.formats.empty() && media.port != 0) {
        return "no payload types";
    }
    return std::nullopt;
}

// Whole milliseconds; a fraction is cut off (RFC 8866 6.4 has it for some codecs).
std::uint32_t milliseconds(std::string_view value) {
    const std::string_view word = next_word(value);
    return clamped(number_in(word.substr(0, word.find('.'))).value_or(0));
}

// RFC 3605: a=rtcp:<port> [IN IP4 <address>]
Failure Reader::read_rtcp(std::string_view value, Section& section) const {
    const auto port = number_in(next_word(value));
    if (!port || *port > 65535) {
        return "RTCP port is not in 0 to 65535";
    }
    section.media.rtcp_port = static_cast<std::uint16_t>(*port);
    section.rtcp_said = true;
    if (value.find_first_not_of(" \t") != npos) {
        const auto address = read_address(value);
        if (!address) {
            return address.error();
        }
        section.media.rtcp_address = *address;
    }
    return std::nullopt;
}

std::optional<Direction> direction_named(std::string_view name) {
    if (same_letters(name, "sendrecv")) {
        return Direction::sendrecv;
    }
    if (same_letters(name, "sendonly")) {
        return Direction::sendonly;
    }
    if (same_letters(name, "recvonly")) {
        return Direction::recvonly;
    }
    if (same_letters(name, "inactive")) {
        return Direction::inactive;
    }
    return std::nullopt;
}

Failure Reader::read_attribute(std::string_view value) {
    const std::size_t colon = value.find(':');
    std::string_view name = value.substr(0, colon);
    name = next_word(name);
    std::string_view rest = colon == npos ? std::string_view() : value.substr(colon + 1);
    if (colon == npos) {
        if (const auto direction = direction_named(name)) {
            (sections_.empty() ? direction_ : sections_.back().direction) = direction;
            return std::nullopt;
        }
    }
    if (sections_.empty()) {
        read_session_attribute(name, rest);
        return std::nullopt;
    }
    Section& section = sections_.back();
    Media& media = section.media;
    if (same_letters(name, "rtpmap")) {
        read_rtpmap(rest, media);
    } else if (same_letters(name, "fmtp")) {
        read_fmtp(rest, media);
    } else if (same_letters(name, "ptime")) {
        media.ptime_ms = milliseconds(rest);
    } else if (same_letters(name, "maxptime")) {
        media.maxptime_ms = milliseconds(rest);
    } else if (same_letters(name, "rtcp")) {
        return read_rtcp(rest, section);
    } else if (same_letters(name, "rtcp-mux") || same_letters(name, "rtcp-mux-only")) {
        media.rtcp_mux = true;
    } else if (!read_transport_attribute(name, rest, section)) {
        read_fax(name, rest, media.fax);
    }
    return std::nullopt;
}

void Reader::read_session_attribute(std::string_view name, std::string_view value) {
    if (same_letters(name, "ice-ufrag")) {
        ice_ = true;
    } else if (same_letters(name, "fingerprint")) {
        fingerprint_ = true;
    } else if (same_letters(name, "group") && next_word(value) == "BUNDLE" &&
               bundles_.size() < limits_.media) {
        bundles_.emplace_back(value);
    }
}

// ICE, DTLS and BUNDLE: how the place is found, and who shares it.
bool Reader::read_transport_attribute(std::string_view name, std::string_view value, Section& section) {
    Media& media = section.media;
    if (same_letters(name, "candidate")) {
        if (const auto candidate = read_candidate(value)) {
            media.candidates.push_back(*candidate); // as many as there are lines, which are bounded
        }
    } else if (same_letters(name, "ice-ufrag")) {
        media.ice = true;
    } else if (same_letters(name, "ice-mismatch")) {
        section.ice_mismatch = true;
    } else if (same_letters(name, "fingerprint")) {
        media.fingerprint = true;
    } else if (same_letters(name, "mid")) {
        media.mid = next_word(value);
    } else if (same_letters(name, "bundle-only")) {
        media.bundle_only = true;
    } else {
        return false;
    }
    return true;
}

Failure Reader::read_line(std::string_view line) {
    if (line.size() < 2 || line[1] != '=' || lower_letter(line[0]) < 'a' || lower_letter(line[0]) > 'z') {
        return "not a letter and '='";
    }
    const std::string_view value = line.substr(2);
    if (!version_seen_) {
        std::string_view rest = value;
        version_seen_ = line[0] == 'v' && next_word(rest) == "0";
        return version_seen_ ? std::nullopt : Failure("a description begins with v=0");
    }
    switch (line[0]) {
    case 'o':
        read_origin(value);
        return std::nullopt;
    case 'm':
        return read_media(value);
    case 'c':
        return read_connection(value);
    case 'b':
        (sections_.empty() ? bandwidth_ : sections_.back().bandwidth).read(value);
        return std::nullopt;
    case 'a':
        return read_attribute(value);
    case 'v':
        return "a second description";
    default:
        return std::nullopt; // s=, t=, k= and whatever a phone adds
    }
}

// What the session said holds for each line that says nothing of its own.
Failure Reader::finish() {
    for (Section& section : sections_) {
        Media& media = section.media;
        const auto& connection = section.connection ? section.connection : connection_;
        if (!connection && media.port != 0) {
            return fmt::format("m={}: no c= line", media.kind.substr(0, 16));
        }
        media.address = connection.value_or(Address());
        media.direction = section.direction.value_or(direction_.value_or(Direction::sendrecv));
        const Bandwidth& own = section.bandwidth;
        media.as_kbps = own.as_kbps.value_or(bandwidth_.as_kbps.value_or(0));
        media.tias_bps = own.tias_bps.value_or(bandwidth_.tias_bps.value_or(0));
        const auto senders = own.senders_bps ? own.senders_bps : bandwidth_.senders_bps;
        const auto receivers = own.receivers_bps ? own.receivers_bps : bandwidth_.receivers_bps;
        if (senders && receivers) {
            media.rtcp_bps = clamped(std::uint64_t{*senders} + *receivers);
        }
        if (!section.rtcp_said && media.is_rtp() && media.port != 0 && media.port != 65535) {
            media.rtcp_port = static_cast<std::uint16_t>(media.port + 1);
        }
        media.ice = (media.ice || ice_) && !section.ice_mismatch;
        media.fingerprint = media.fingerprint || fingerprint_;
        if (!media.ice) {
            media.candidates.clear();
        }
        rank_candidates(media.candidates, limits_.candidates);
        name_static_formats(media);
        session_.media.push_back(std::move(media));
    }
    form_bundles(session_.media, bundles_);
    return std::nullopt;
}

Rejection rejected(std::size_t number, std::string_view line, std::string_view why) {
    std::string shown;
    for (const char octet : line.substr(0, 48)) {
        shown += octet >= ' ' && octet <= '~' ? octet : '?';
    }
    return {STEM_SDP_MALFORMED,
            fmt::format("line {}: '{}{}': {}", number, shown, line.size() > 48 ? "..." : "", why)};
}

std::expected<Session, Rejection> Reader::read(std::string_view body) {
    if (body.size() > limits_.body) {
        return std::unexpected(Rejection{
            STEM_SDP_MALFORMED, fmt::format("description of {} octets, cap {}", body.size(), limits_.body)});
    }
    std::size_t number = 0;
    while (!body.empty()) {
        const std::size_t end = std::min(body.find('\n'), body.size());
        std::string_view line = body.substr(0, end);
        body.remove_prefix(std::min(end + 1, body.size()));
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (++number > limits_.lines) {
            return std::unexpected(rejected(number, line, fmt::format("more than {} lines", limits_.lines)));
        }
        if (line.size() > limits_.line) {
            return std::unexpected(
                rejected(number, line, fmt::format("longer than {} octets", limits_.line)));
        }
        if (line.find('\r') != npos || line.find('\0') != npos) {
            return std::unexpected(rejected(number, line, "CR without LF, or NUL"));
        }
        if (line.find_first_not_of(" \t") == npos) {
            continue; // a blank line, at the end more often than not
        }
        if (const auto bad = read_line(line)) {
            return std::unexpected(rejected(number, line, *bad));
        }
    }
    if (!version_seen_) {
        return std::unexpected(Rejection{STEM_SDP_MALFORMED, "an empty description"});
    }
    if (const auto bad = finish()) {
        return std::unexpected(Rejection{STEM_SDP_MALFORMED, *bad});
    }
    return std::move(session_);
}

} // namespace

bool Media::is_rtp() const {
    return protocol == "RTP/AVP" || protocol == "RTP/AVPF" || protocol == "RTP/SAVP" ||
           protocol == "RTP/SAVPF" || protocol == "UDP/TLS/RTP/SAVP" || protocol == "UDP/TLS/RTP/SAVPF";
}

bool Media::is_udptl() const {
    return kind == "image" && protocol == "UDPTL";
}

bool Media::has_no_place_yet() const {
    constexpr std::uint16_t discard_port = 9;
    return ice && port == discard_port && address.is_unspecified();
}

std::expected<Session, Rejection> parse(std::string_view body, const Limits& limits) {
    return Reader(limits).read(body);
}

} // namespace stem::sdp
