// SPDX-License-Identifier: Apache-2.0
// The protocol parsers that are loaded, by the ports of their protocols.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ctl/parser/protocol_parser.h"

namespace stem::parser {

class Parsers {
  public:
    // `ports`: of UDP, at either end, where neither is the default's. Those that another parser has already
    // stay its own.
    void load(std::unique_ptr<ProtocolParser> parser, std::span<const std::uint16_t> ports);
    // The parser of everything on no port of a named one's: SIP's.
    void load_default(std::unique_ptr<ProtocolParser> parser);
    // Its ports, as the data plane has them (bpf/steer.h): at either end they go before a named one's,
    // whether it is loaded or not. A SIP client may send from any port, another protocol's too.
    void keep_for_default(std::span<const std::uint16_t> ports);

    // To whom it is for; or it is dropped there, if nobody is loaded for it.
    void receive(call::Packet packet, call::Egress& egress, std::uint64_t now_ns) const;
    // Null: nobody is loaded for that datagram, or message of a stream. Streams are cut into messages as
    // SIP's are: they are the default's, whatever their ports.
    [[nodiscard]] ProtocolParser* parser_of(const call::Packet& packet) const;
    [[nodiscard]] bool has_default() const noexcept { return default_ != nullptr; }
    void tick(std::uint64_t now_ns);

  private:
    std::vector<std::unique_ptr<ProtocolParser>> parsers_;
    std::unordered_map<std::uint16_t, ProtocolParser*> by_port_;
    ProtocolParser* default_ = nullptr;
    std::unordered_set<std::uint16_t> default_ports_;
};

// What [parsers] load may name.
std::span<const std::string_view> known_parsers() noexcept;

} // namespace stem::parser
