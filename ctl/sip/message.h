// SPDX-License-Identifier: Apache-2.0
// A SIP message as STEM needs to know it: parsed by our bounded pre-scan, then by libosip2 for the structure
// of the headers (docs/decisions/0003-sip-parsing.md says why in that order).
//
// A Message owns what it holds; spans are offsets into the datagram that was parsed, because the original
// bytes are what goes out (a message is never re-serialised).
#pragma once

#include <stem/abi/reason.h>
#include <stem/qvalue.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::sip {

enum class Method : std::uint8_t {
    invite,
    ack,
    bye,
    cancel,
    register_,
    options,
    prack,
    update,
    info,
    refer,
    subscribe,
    notify,
    publish,
    message,
    other,
};

// RFC 3261 7.1: methods are case-sensitive; an unknown token is `other`.
Method method_from(std::string_view token);
std::string_view name_of(Method method); // "INVITE"; "other" for `other`

// Caps on what is looked at, before anything is parsed. All are configurable, in [sip.limits].
struct Limits {
    std::size_t message = 8192;     // octets of a datagram
    std::size_t start_line = 512;   // octets
    std::size_t header_line = 1024; // octets, folded lines counted together
    std::size_t headers = 64;
    std::size_t values_per_header = 8; // comma-separated; Via, Route, Record-Route and Contact have `hops`
    std::size_t hops = 32;
    std::size_t values = 64; // of all headers together
    std::size_t parameters_per_value = 16;
    std::size_t parameters = 128; // of all values together
    std::size_t body = 6144;      // octets
    std::size_t parts = 8;        // of a body of several, nested ones too
    std::size_t identifier = 255; // octets of Call-ID; tags and branches have half of it
};

struct Span {
    std::size_t offset = 0;
    std::size_t length = 0;
};

// RFC 3261 19.1: the parts that decide who is meant. `text` is the whole URI as it stood, parameters
// included.
struct Uri {
    std::string text;
    std::string scheme;     // lower case: "sip", "sips", "tel", ...
    std::string user;       // as it stood, escapes included; for tel: the number
    std::string host;       // lower case, IPv6 without brackets
    std::uint16_t port = 0; // 0 = not given

    // "sip:user@host" in lower-case host, port 5060 and parameters left away: what location and profiles are
    // keyed by.
    [[nodiscard]] std::string address_of_record() const;
};

// Reads one bare URI ("sip:bob@example.org;transport=udp"), without angle brackets.
std::optional<Uri> parse_uri(std::string_view text);

// RFC 3261 19.1.4: do both mean the same? Not transitive: a parameter that only one has mostly counts for
// nothing. URIs of other schemes by their text, telephone numbers by their digits (RFC 3966 4).
bool are_equivalent(const Uri& left, const Uri& right);

struct Via {
    std::string transport; // upper case
    std::string host;      // lower case, IPv6 without brackets
    std::uint16_t port = 0;
    std::string branch;
};

struct Contact {
    bool wildcard = false; // "*"
    Uri uri;
    std::optional<std::uint32_t> expires; // seconds
    std::optional<QValue> q;
};

// RFC 3262 7.2: which reliable provisional response a PRACK acknowledges.
struct ReliableAck {
    std::uint32_t rseq = 0;
    std::uint32_t cseq = 0;
    std::string method;
};

// RFC 3891 6.1: the dialog that an INVITE takes the place of.
struct ReplacedDialog {
    std::string call_id;
    std::string to_tag; // the tags as whoever gets the INVITE knows them: its own is the To tag
    std::string from_tag;
    bool early_only = false;
};

struct Message {
    bool request = false;
    Method method = Method::other; // of a request; of a response: CSeq's
    std::string method_name;       // as it stood
    int status = 0;                // of a response
    Uri request_uri;               // of a request
    Span request_uri_span;         // in the datagram
    std::string call_id;
    Uri from;
    std::string from_tag;
    Uri to;
    std::string to_tag; // "" = none
    std::uint32_t cseq = 0;
    std::vector<Via> vias; // topmost first; at least one
    std::vector<Contact> contacts;
    std::optional<std::uint32_t> expires;         // Expires
    std::optional<std::uint32_t> session_expires; // RFC 4028
    std::optional<std::uint32_t> rseq;            // RFC 3262: a reliable provisional response
    std::optional<ReliableAck> rack;              // of a PRACK
    std::optional<ReplacedDialog> replaces;
    std::optional<Uri> refer_to;                  // RFC 3515
    std::vector<std::string> record_route;        // hosts, as in Uri; topmost first
    bool authorized = false;                      // carries Authorization or Proxy-Authorization
    std::vector<std::string> proxy_authorization; // its values, unfolded (RFC 3261 20.28)
    std::string user_agent;                       // User-Agent, or "" ; at most 128 octets
    std::string content_type;                     // lower case, parameters left away; "" = none
    Span sdp;                                     // the session description in it (mime.h); length 0 = none
    std::string sdp_fault;                        // why there is one that cannot be read
    Span body;                                    // as Content-Length has it; length 0 = none

    [[nodiscard]] std::string_view body_of(std::string_view datagram) const {
        return datagram.substr(body.offset, body.length);
    }
    // A session description, or one that cannot be read: `sdp_fault` says why.
    [[nodiscard]] bool has_sdp() const { return sdp.length > 0 || !sdp_fault.empty(); }
    [[nodiscard]] std::string_view sdp_of(std::string_view datagram) const {
        return datagram.substr(sdp.offset, sdp.length);
    }
};

// Why a message is not let in: SIP_MALFORMED or SIP_OVER_LIMIT, and the words for a log.
struct Rejection {
    stem_reason reason;
    std::string what; // "two Call-ID headers", "header line of 2034 octets, cap 1024"
};

// Parses one datagram (RFC 3261 18.3: with no Content-Length the body ends with the datagram; octets beyond
// Content-Length are ignored). Never throws but for want of memory; cost is linear in the octets.
std::expected<Message, Rejection> parse(std::string_view datagram, const Limits& limits);

// The response that STEM itself gives to `request` (RFC 3261 8.2.6): Via, From, To, Call-ID and CSeq copied
// from the datagram's bytes, `to_tag` added where there is none (and status > 100), Content-Length 0.
// `retry_after`: for the header Retry-After (20.33); 0 = without. `challenges`: values for headers
// Proxy-Authenticate (20.27).
std::string make_response(std::string_view datagram, const Message& request, int status,
                          std::string_view phrase, std::string_view to_tag,
                          std::chrono::seconds retry_after = std::chrono::seconds(0),
                          const std::vector<std::string>& challenges = {});

// RFC 3261 21: the phrase for a status ("Forbidden"); "Rejected" where we know none.
std::string_view phrase_of(int status);

} // namespace stem::sip
