// SPDX-License-Identifier: Apache-2.0
// SIP messages as text, written and read by hand, so that a test says exactly what goes over the wire.
// Nothing here is shared with the parser under test, and nothing is checked: a test may write what is wrong.
#pragma once

#include <stem/address.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::lab {

struct SipRequest {
    std::string method = "INVITE";
    std::string uri;    // request URI
    Endpoint via;       // also the Contact's host and port
    std::string branch; // with its magic cookie
    std::string from;   // URI, without brackets
    std::string from_tag;
    std::string to;     // URI
    std::string to_tag; // "": none
    std::string call_id;
    unsigned cseq = 1;
    std::vector<std::string> headers;             // whole lines, without CRLF: "Route: <sip:192.0.2.5;lr>"
    std::string content_type = "application/sdp"; // written when there is a body
    std::string body;
    std::string transport = "UDP"; // in Via and, if it is another, in Contact

    [[nodiscard]] std::string text() const;
};

// An offer or answer of one audio stream at 20 ms; `payload_types` of RFC 3551: 0 PCMU, 8 PCMA.
[[nodiscard]] std::string sdp(const Endpoint& media, const std::vector<unsigned>& payload_types = {8},
                              unsigned version = 1);

// "sip:bob@192.0.2.5", "sip:bob@[2001:db8:1::5]"; with a port other than 0, ":5060" behind it.
[[nodiscard]] std::string sip_uri(std::string_view user, const Address& host, unsigned port = 0);

// A response to the request `request` (its text): Via, Record-Route, From, To, Call-ID and CSeq are copied
// (RFC 3261 8.2.6). `to_tag` is added where To has none. A Contact is written when `contact` has a port.
[[nodiscard]] std::string response_text(std::string_view request, int status, std::string_view phrase,
                                        std::string_view to_tag = "", const Endpoint& contact = {},
                                        std::string_view body = "");

// A later request of the caller in the dialog that `ok`, a 2xx to `invite`, made: to its Contact, by its
// route set (RFC 3261 12.2.1.1). An ACK keeps the CSeq number, any other method takes the next.
[[nodiscard]] SipRequest in_dialog(const SipRequest& invite, std::string_view ok, std::string method,
                                   std::string branch);
// What RFC 3261 says about the two requests that copy the INVITE's branch: CANCEL (9.1), and the ACK to a
// response other than 2xx (17.1.1.3), whose To is that of `response`.
[[nodiscard]] SipRequest cancel_of(const SipRequest& invite);
[[nodiscard]] SipRequest ack_of_failure(const SipRequest& invite, std::string_view response);

// Reading. A header's name is matched as written in full, in any case; its value without the surrounding
// spaces; the first of several. Header lines are those before the empty line.
[[nodiscard]] std::optional<std::string> header_of(std::string_view message, std::string_view name);
[[nodiscard]] std::vector<std::string> headers_of(std::string_view message, std::string_view name);
[[nodiscard]] int status_of(std::string_view message);         // 0: not a response
[[nodiscard]] std::string method_of(std::string_view message); // of a request; else that of CSeq
[[nodiscard]] std::string body_of(std::string_view message);
[[nodiscard]] std::string tag_of(std::string_view header_value); // "" = none
[[nodiscard]] std::string uri_of(std::string_view header_value); // what stands between < and >, or all of it
[[nodiscard]] std::optional<Endpoint> media_of(std::string_view message); // of the first m= line

} // namespace stem::lab
