// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/deny_target.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace stem::kernel {
namespace {

constexpr std::array<std::string_view, 4> kind_names = {"address", "network", "stream", "flow"};
constexpr std::string_view stream_prefix = "stream:";
constexpr std::string_view flow_prefix = "flow:";
constexpr const char* stream_form = "write stream:udp:198.51.100.7:5060-203.0.113.5:5060, IPv6 addresses in "
                                    "brackets, the sender first";
constexpr const char* flow_form =
    "write flow:198.51.100.7:4000-203.0.113.5:10000, IPv6 addresses in brackets, "
    "the sender first, as stemctl flows shows them";

struct Ends {
    Endpoint source;
    Endpoint destination;
};

// `text` is what is left of `whole` behind its prefixes.
class EndsReader {
  public:
    EndsReader(std::string_view whole, const char* form) : whole_(whole), form_(form) {}

    [[nodiscard]] Result<Ends> read(std::string_view text) const {
        const auto dash = text.find('-');
        if (dash == std::string_view::npos || text.find('-', dash + 1) != std::string_view::npos) {
            return bad("it does not name two ends with one '-' between");
        }
        const auto source = endpoint(text.substr(0, dash));
        if (!source) {
            return std::unexpected(source.error());
        }
        const auto destination = endpoint(text.substr(dash + 1));
        if (!destination) {
            return std::unexpected(destination.error());
        }
        if (source->address.is_v4() != destination->address.is_v4()) {
            return bad("one end is IPv4 and the other IPv6");
        }
        return Ends{.source = *source, .destination = *destination};
    }

    [[nodiscard]] std::unexpected<Error> bad(std::string cause) const {
        return fail("read deny target '" + std::string(whole_) + "'", std::move(cause), form_);
    }

  private:
    [[nodiscard]] Result<Endpoint> endpoint(std::string_view text) const {
        const std::string shown = "'" + std::string(text) + "'";
        const auto colon = text.rfind(':');
        const bool bracketed = text.starts_with('[');
        const auto host = text.substr(0, colon);
        if (colon == std::string_view::npos || (bracketed && !host.ends_with(']'))) {
            return bad(shown + " has no port");
        }
        if (!bracketed && text.find(':') != colon) {
            return bad(shown + " is an IPv6 address without brackets");
        }
        const auto address = Address::parse(host);
        if (!address) {
            return bad("'" + std::string(host) + "' is neither an IPv4 nor an IPv6 address");
        }
        const auto digits = text.substr(colon + 1);
        std::uint16_t port = 0;
        const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (status != std::errc{} || end != digits.data() + digits.size() || port == 0) {
            return bad("port '" + std::string(digits) + "' is not a number from 1 to 65535");
        }
        return Endpoint{.address = *address, .port = port};
    }

    std::string_view whole_;
    const char* form_;
};

Result<DenyTarget> parse_stream(std::string_view text) {
    const EndsReader reader(text, stream_form);
    const auto rest = text.substr(stream_prefix.size());
    const auto colon = rest.find(':');
    const auto name = rest.substr(0, colon);
    const std::uint8_t protocol = name == "udp" ? IPPROTO_UDP : name == "tcp" ? IPPROTO_TCP : 0;
    if (protocol == 0 || colon == std::string_view::npos) {
        return reader.bad("'" + std::string(name) + "' is neither udp nor tcp");
    }
    const auto ends = reader.read(rest.substr(colon + 1));
    if (!ends) {
        return std::unexpected(ends.error());
    }
    return StreamTarget{.protocol = protocol, .source = ends->source, .destination = ends->destination};
}

Result<DenyTarget> parse_flow(std::string_view text) {
    const auto ends = EndsReader(text, flow_form).read(text.substr(flow_prefix.size()));
    if (!ends) {
        return std::unexpected(ends.error());
    }
    return FlowTarget{.source = ends->source, .destination = ends->destination};
}

std::string to_text(const Cidr& source) {
    return source.to_string();
}

std::string to_text(const StreamTarget& stream) {
    return std::string(stream_prefix) + (stream.protocol == IPPROTO_TCP ? "tcp:" : "udp:") +
           stream.source.to_string() + "-" + stream.destination.to_string();
}

std::string to_text(const FlowTarget& flow) {
    return std::string(flow_prefix) + flow.source.to_string() + "-" + flow.destination.to_string();
}

} // namespace

DenyKind kind_of(const DenyTarget& target) {
    if (const auto* source = std::get_if<Cidr>(&target); source != nullptr) {
        return source->is_host() ? DenyKind::address : DenyKind::network;
    }
    return std::holds_alternative<StreamTarget>(target) ? DenyKind::stream : DenyKind::flow;
}

std::string_view name_of(DenyKind kind) {
    return kind_names[std::to_underlying(kind)];
}

std::optional<DenyKind> deny_kind_from(std::string_view name) {
    const auto* const at = std::ranges::find(kind_names, name);
    return at == kind_names.end() ? std::nullopt
                                  : std::optional(static_cast<DenyKind>(at - kind_names.begin()));
}

Result<DenyTarget> parse_deny_target(std::string_view text) {
    if (text.starts_with(stream_prefix)) {
        return parse_stream(text);
    }
    if (text.starts_with(flow_prefix)) {
        return parse_flow(text);
    }
    const auto source = Cidr::parse(text);
    if (!source) {
        Error error = source.error();
        error.remedy = "write 192.0.2.1, 2001:db8::/32, stream:udp:SOURCE:PORT-SERVER:PORT or "
                       "flow:SOURCE:PORT-DESTINATION:PORT";
        return std::unexpected(std::move(error));
    }
    return *source;
}

std::string to_string(const DenyTarget& target) {
    return std::visit([](const auto& of_kind) { return to_text(of_kind); }, target);
}

} // namespace stem::kernel
