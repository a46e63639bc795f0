// SPDX-License-Identifier: Apache-2.0
#include "ctl/parser/parsers.h"

#include <array>
#include <utility>

namespace stem::parser {

void Parsers::load(std::unique_ptr<ProtocolParser> parser, std::span<const std::uint16_t> ports) {
    for (const std::uint16_t port : ports) {
        by_port_.emplace(port, parser.get());
    }
    parsers_.push_back(std::move(parser));
}

void Parsers::load_default(std::unique_ptr<ProtocolParser> parser) {
    default_ = parser.get();
    parsers_.push_back(std::move(parser));
}

void Parsers::keep_for_default(std::span<const std::uint16_t> ports) {
    default_ports_.insert(ports.begin(), ports.end());
}

void Parsers::receive(call::Packet packet, call::Egress& egress, std::uint64_t now_ns) const {
    if (ProtocolParser* parser = parser_of(packet); parser != nullptr) {
        parser->receive(std::move(packet), now_ns);
    } else {
        egress.drop(std::move(packet), STEM_SIP_METHOD,
                    "no protocol parser is loaded for its ports ([parsers] load)");
    }
}

// By whom it is sent to, and else by who answers.
ProtocolParser* Parsers::parser_of(const call::Packet& packet) const {
    if (packet.transport == call::Transport::tcp) {
        return default_;
    }
    if (default_ports_.contains(packet.destination.port) || default_ports_.contains(packet.source.port)) {
        return default_;
    }
    for (const std::uint16_t port : {packet.destination.port, packet.source.port}) {
        if (const auto found = by_port_.find(port); found != by_port_.end()) {
            return found->second;
        }
    }
    return default_;
}

void Parsers::tick(std::uint64_t now_ns) {
    for (const auto& parser : parsers_) {
        parser->tick(now_ns);
    }
}

std::span<const std::string_view> known_parsers() noexcept {
    static constexpr std::array<std::string_view, 2> names{"sip", "mgcp"};
    return names;
}

} // namespace stem::parser
