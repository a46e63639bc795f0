// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/attach.h"
#include "ctl/kernel/network.h"

#include <netinet/in.h>

#include <charconv>

namespace stem::kernel {

Result<Failsafe> Failsafe::parse(std::string_view text) {
    const std::string attempt = "read fail-safe entry '" + std::string(text) + "'";
    const std::string remedy = "write SIDE:PROTOCOL/PORT[:NETWORK], as in internal:tcp/22 or "
                               "external:tcp/22:192.0.2.0/24";
    Failsafe entry;
    const auto colon = text.find(':');
    const auto side = text.substr(0, colon);
    if (colon == std::string_view::npos || (side != "external" && side != "internal")) {
        return fail(attempt, "the side of the client is neither external nor internal", remedy);
    }
    entry.direction = side == "external" ? STEM_INBOUND : STEM_OUTBOUND;
    auto service = text.substr(colon + 1);
    if (const auto second = service.find(':'); second != std::string_view::npos) {
        const auto client = Cidr::parse(service.substr(second + 1));
        if (!client) {
            return fail(attempt, client.error().message(), remedy);
        }
        if (auto good = require_one_family(*client); !good) {
            return std::unexpected(good.error());
        }
        entry.client = *client;
        service = service.substr(0, second);
    }
    const auto slash = service.find('/');
    const auto protocol = service.substr(0, slash);
    if (slash == std::string_view::npos || (protocol != "tcp" && protocol != "udp")) {
        return fail(attempt, "the protocol is neither tcp nor udp", remedy);
    }
    entry.protocol = protocol == "tcp" ? IPPROTO_TCP : IPPROTO_UDP;
    const auto digits = service.substr(slash + 1);
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), entry.port);
    if (status != std::errc{} || end != digits.data() + digits.size() || entry.port == 0) {
        return fail(attempt, "the port is not a number from 1 to 65535", remedy);
    }
    return entry;
}

std::string Failsafe::to_string() const {
    std::string text = direction == STEM_INBOUND ? "external:" : "internal:";
    text += protocol == IPPROTO_TCP ? "tcp/" : "udp/";
    text += std::to_string(port);
    if (client) {
        text += ":" + client->to_string();
    }
    return text;
}

} // namespace stem::kernel
