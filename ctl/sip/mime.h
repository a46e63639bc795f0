// SPDX-License-Identifier: Apache-2.0
// Where in a body the session description is: the body itself, or a part of it (RFC 2046 5.1, RFC 5621). A
// scanner of our own, as libosip2's leaks and over-reads. Bounded: one pass a level, two levels.
#pragma once

#include "ctl/sip/message.h"

#include <expected>
#include <string>
#include <string_view>

namespace stem::sip {

// What the headers say of the body, as they stood.
struct BodyHeaders {
    std::string_view content_type;
    std::string_view content_encoding; // "" = none
};

// The session description in `datagram`'s `body`; of length 0 where it has none. An error says why there is
// one that cannot be read, or that readers would not agree on: two of them, an encoding, a boundary that is
// not there, more parts than `limits` allows. Parts of other kinds, and early-session ones (RFC 3959), are
// not looked into.
std::expected<Span, std::string> find_session(std::string_view datagram, Span body,
                                              const BodyHeaders& headers, const Limits& limits);

} // namespace stem::sip
