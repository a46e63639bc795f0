// SPDX-License-Identifier: Apache-2.0
#include "ctl/call/imprint.h"

#include <fmt/format.h>
#include <openssl/sha.h>

namespace stem::call {
namespace {

void add(std::string& text, std::string_view value) {
    text += value;
    text += '\n'; // no value that was read of a header has one
}

void add(std::string& text, const std::optional<std::uint32_t>& number) {
    add(text, number ? std::to_string(*number) : std::string());
}

} // namespace

std::string sent_by_of(const sip::Message& message) {
    const sip::Via& via = message.vias.front();
    // RFC 3261 18.1.1: a port that is not there is the default one. There are phones that name it in the
    // INVITE and not in its CANCEL.
    constexpr std::uint16_t sip_port = 5060;
    constexpr std::uint16_t sips_port = 5061;
    const std::uint16_t usual = via.transport == "TLS" ? sips_port : sip_port;
    return fmt::format("{} {}", via.host, via.port == 0 ? usual : via.port);
}

Imprint imprint_of(const sip::Message& request, std::string_view datagram) {
    std::string text;
    for (const std::string_view value :
         {std::string_view(request.method_name), std::string_view(request.request_uri.text),
          std::string_view(request.from.text), std::string_view(request.from_tag),
          std::string_view(request.to.text), std::string_view(request.to_tag),
          std::string_view(request.content_type)}) {
        add(text, value);
    }
    for (const sip::Contact& contact : request.contacts) {
        add(text, contact.wildcard ? "*" : contact.uri.text);
        add(text, contact.expires);
    }
    add(text, request.expires);
    add(text, request.session_expires);
    if (request.rack) {
        add(text, fmt::format("{} {} {}", request.rack->rseq, request.rack->cseq, request.rack->method));
    }
    if (request.replaces) {
        add(text, request.replaces->call_id);
        add(text, request.replaces->to_tag);
        add(text, request.replaces->from_tag);
    }
    if (request.refer_to) {
        add(text, request.refer_to->text);
    }
    for (const std::string& value : request.proxy_authorization) {
        add(text, value);
    }
    text += '\n';
    text += request.body_of(datagram);
    Imprint imprint{.sent_by = sent_by_of(request)};
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), imprint.content.data());
    return imprint;
}

} // namespace stem::call
