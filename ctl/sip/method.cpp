// SPDX-License-Identifier: Apache-2.0
#include "ctl/sip/message.h"

#include <array>
#include <cstddef>

namespace stem::sip {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Method::other) + 1> names = {
    "INVITE", "ACK",   "BYE",       "CANCEL", "REGISTER", "OPTIONS", "PRACK", "UPDATE",
    "INFO",   "REFER", "SUBSCRIBE", "NOTIFY", "PUBLISH",  "MESSAGE", "other",
};

} // namespace

Method method_from(std::string_view token) {
    for (std::size_t at = 0; at + 1 < names.size(); ++at) {
        if (names[at] == token) {
            return static_cast<Method>(at);
        }
    }
    return Method::other;
}

std::string_view name_of(Method method) {
    return names[static_cast<std::size_t>(method)];
}

} // namespace stem::sip
