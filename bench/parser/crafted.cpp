// SPDX-License-Identifier: Apache-2.0
#include "parser/crafted.h"

#include <fmt/format.h>

namespace stem::bench {
namespace {

std::string message(const std::string& uri, const std::string& headers, const std::string& body = "",
                    const std::string& type = "application/sdp") {
    return "INVITE " + uri +
           " SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds\r\nMax-Forwards: 70\r\n"
           "To: Bob <sip:bob@example.org>\r\nFrom: Alice <sip:alice@example.com>;tag=1928301774\r\n"
           "Call-ID: a84b4c76e66710@pc33.example.com\r\nCSeq: 314159 INVITE\r\n"
           "Contact: <sip:alice@192.0.2.1>\r\n" +
           headers + (body.empty() ? "" : "Content-Type: " + type + "\r\n") +
           fmt::format("Content-Length: {}\r\n\r\n", body.size()) + body;
}

// `piece` again and again, until the whole has `size` octets.
std::string filled(std::size_t size, const std::string& piece) {
    std::string text;
    while (text.size() + piece.size() <= size) {
        text += piece;
    }
    return text;
}

const std::string plain_uri = "sip:bob@example.org";
const std::string session = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
                            "m=audio 49170 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

// The most that the caps let through: values of 16 parameters, and 128 parameters in all.
std::string capped(std::size_t size) {
    std::string contacts;
    for (int line = 0; line < 4; line++) {
        contacts += "Contact: ";
        for (int value = 0; value < 2; value++) {
            contacts +=
                fmt::format("{}<sip:u{}@192.0.2.1>{}", value == 0 ? "" : ", ", value, filled(48, ";a=b"));
        }
        contacts += "\r\n";
    }
    return message(plain_uri,
                   contacts + filled(size > 2600 ? size - 2600 : 0, "Z: " + std::string(1000, 'y') + "\r\n"),
                   session);
}

// As many values as the caps let through, in as few octets as they can have: nothing costs more an octet.
std::string short_values() {
    std::string routes = "Route:<sip:a>";
    for (int value = 1; value < 32; value++) {
        routes += ",<sip:a>";
    }
    std::string contacts = "m:<sip:a>";
    for (int value = 1; value < 27; value++) {
        contacts += ",<sip:a>;q";
    }
    return "INVITE sip:a SIP/2.0\r\nv:SIP/2.0/UDP a;branch=z9hG4bKa\r\nMax-Forwards:70\r\nt:<sip:a>\r\n"
           "f:<sip:a>;tag=a\r\ni:a\r\nCSeq:1 INVITE\r\n" +
           routes + "\r\n" + contacts + "\r\nl:0\r\n\r\n";
}

std::string parts(std::size_t size) {
    const std::string part = "--b\r\nContent-Type: text/plain\r\n\r\n--\r\n";
    return message(plain_uri, "", filled(size > 700 ? size - 700 : 0, part) + "--b--\r\n",
                   "multipart/mixed;boundary=b");
}

} // namespace

std::vector<Crafted> crafted_messages(std::size_t size) {
    const std::size_t rest = size > 600 ? size - 600 : 0;
    return {
        {.name = "invite", .text = message(plain_uri, "", session)},
        {.name = "uri_parameters", .text = message(plain_uri + filled(rest, ";a"), "")},
        {.name = "uri_headers", .text = message(plain_uri + "?" + filled(rest, "a=1&"), "")},
        {.name = "contact_parameters",
         .text = message(plain_uri, "m: <sip:a@b>" + filled(rest, ";a") + "\r\n")},
        {.name = "unknown_headers", .text = message(plain_uri, filled(rest, "Z:a\r\n"))},
        {.name = "folded_header", .text = message(plain_uri, "Subject: a" + filled(rest, "\r\n b") + "\r\n")},
        {.name = "routes", .text = message(plain_uri, "Route: <sip:a>" + filled(rest, ",<sip:a>") + "\r\n")},
        {.name = "vias", .text = message(plain_uri, filled(rest, "v:SIP/2.0/UDP a\r\n"))},
        {.name = "capped", .text = capped(size)},
        {.name = "short_values", .text = short_values()},
        {.name = "parts", .text = parts(size)},
        {.name = "quotes",
         .text = message(plain_uri, "Contact: \"" + filled(rest, "\\\"") + "\" <sip:a@b>\r\n")},
        {.name = "sdp_attributes",
         .text = message(plain_uri, "", session + filled(rest, "a=rtpmap:0 X/8000\r\n"))},
        {.name = "sdp_candidates",
         .text = message(plain_uri, "",
                         session + "a=ice-ufrag:a\r\n" +
                             filled(rest, "a=candidate:1 1 UDP 1 192.0.2.1 4000 typ host\r\n"))},
    };
}

} // namespace stem::bench
