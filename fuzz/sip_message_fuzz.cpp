// SPDX-License-Identifier: Apache-2.0
// Whatever comes: no fault, spans inside of the datagram, and an answer that parses as what it says.
#include "ctl/sip/message.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void check(const stem::sip::Message& message, std::string_view datagram, const stem::sip::Limits& limits) {
    require(message.body.offset + message.body.length <= datagram.size());
    require(!message.vias.empty() && message.vias.size() <= limits.hops);
    require(message.contacts.size() <= limits.values);
    require(!message.call_id.empty() && message.call_id.size() <= limits.identifier);
    require(message.from_tag.size() <= limits.identifier / 2 &&
            message.to_tag.size() <= limits.identifier / 2);
    if (!message.request) {
        require(message.status >= 100 && message.status <= 699);
        return;
    }
    const auto& span = message.request_uri_span;
    require(datagram.substr(span.offset, span.length) == message.request_uri.text);
    static_cast<void>(message.request_uri.address_of_record());
    const std::string answer = stem::sip::make_response(datagram, message, 403, "Forbidden", "stem");
    const auto read = stem::sip::parse(answer, limits);
    if (!read) {
        // Only a To at the very edge of a cap cannot take another parameter.
        require(read.error().reason == STEM_SIP_OVER_LIMIT);
        return;
    }
    require(read->status == 403 && read->call_id == message.call_id && read->cseq == message.cseq &&
            read->from_tag == message.from_tag && read->vias.size() == message.vias.size());
    require(read->to_tag == (message.to_tag.empty() ? "stem" : message.to_tag));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view datagram(reinterpret_cast<const char*>(data), size);
    const stem::sip::Limits limits;
    if (const auto message = stem::sip::parse(datagram, limits)) {
        check(*message, datagram, limits);
    }
    if (const auto uri = stem::sip::parse_uri(datagram)) {
        static_cast<void>(uri->address_of_record());
    }
    return 0;
}
