// SPDX-License-Identifier: Apache-2.0
#include "sm/endpoint_text.h"

#include <charconv>

namespace stem::sm {

std::optional<Endpoint> endpoint_from(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    const auto address = Address::parse(host);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (!address || address->is_v4() == bracketed || error != std::errc() ||
        end != digits.data() + digits.size()) {
        return std::nullopt;
    }
    return Endpoint{.address = *address, .port = port};
}

} // namespace stem::sm
