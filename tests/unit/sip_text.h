// SPDX-License-Identifier: Apache-2.0
// SIP and SDP for tests, written with plain line ends.
#pragma once

#include <string>
#include <string_view>

namespace stem::test {

// "\n" becomes CRLF.
inline std::string crlf(std::string_view text) {
    std::string result;
    for (const char octet : text) {
        if (octet == '\n') {
            result += '\r';
        }
        result += octet;
    }
    return result;
}

// `text` with its one occurrence of `from` replaced.
inline std::string with(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    return at == std::string::npos ? "no such text: " + std::string(from) : text.replace(at, from.size(), to);
}

inline std::string invite() {
    return crlf("INVITE sip:bob@example.net;transport=udp SIP/2.0\n"
                "Via: SIP/2.0/UDP proxy.example.org:5070;branch=z9hG4bKproxy\n"
                "Via: SIP/2.0/UDP [2001:db8::9];branch=z9hG4bKphone\n"
                "Max-Forwards: 69\n"
                "From: \"Alice, the first\" <sip:Alice@EXAMPLE.org:5060;user=phone>;tag=a1\n"
                "To: <sip:bob@example.net>\n"
                "Call-ID: c1@192.0.2.1\n"
                "CSeq: 7 INVITE\n"
                "Contact: <sip:alice@192.0.2.1:5062>;expires=60\n"
                "User-Agent: phone/1.0\n"
                "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, REFER, SUBSCRIBE, NOTIFY\n"
                "Session-Expires: 1800;refresher=uac\n"
                "Content-Type: Application/SDP; charset=utf-8\n"
                "Content-Length: 5\n"
                "\n"
                "v=0\n");
}

} // namespace stem::test
