// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/packet_description.h"

#include "ctl/kernel/rule_fields.h"

#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <vector>

namespace stem::kernel {
namespace {

constexpr unsigned vlan_max = 4094;

template<typename Number>
std::optional<Number> number_of(std::string_view digits, unsigned highest) {
    unsigned number = 0;
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (digits.empty() || status != std::errc{} || end != digits.data() + digits.size() || number > highest) {
        return std::nullopt;
    }
    return static_cast<Number>(number);
}

// An address with or without a port: "192.0.2.1:5060", "[2001:db8::1]:5060", "2001:db8::1".
struct End {
    Address address;
    std::optional<std::uint16_t> port;
};

std::optional<End> end_of(std::string_view text) {
    std::string_view host = text;
    std::optional<std::string_view> digits;
    if (text.starts_with('[')) {
        const auto close = text.find("]:");
        if (close != std::string_view::npos) {
            host = text.substr(0, close + 1);
            digits = text.substr(close + 2);
        }
    } else if (std::ranges::count(text, ':') == 1) {
        const auto colon = text.find(':');
        host = text.substr(0, colon);
        digits = text.substr(colon + 1);
    }
    const auto address = Address::parse(host);
    if (!address) {
        return std::nullopt;
    }
    End end{.address = *address, .port = std::nullopt};
    if (digits) {
        end.port = number_of<std::uint16_t>(*digits, 65535);
        if (!end.port) {
            return std::nullopt;
        }
    }
    return end;
}

class PacketReader {
  public:
    explicit PacketReader(std::string_view text) : text_(text) {
        std::istringstream words{std::string(text)};
        for (std::string word; words >> word;) {
            words_.push_back(word);
        }
    }

    Result<PacketDescription> read() {
        if (words_.size() < 5) {
            return wrong("too few words");
        }
        if (words_[0] != "inbound" && words_[0] != "outbound") {
            return wrong("'" + words_[0] + "' is neither inbound nor outbound");
        }
        auto& fields = packet_.fields;
        fields.direction = words_[0] == "inbound" ? STEM_INBOUND : STEM_OUTBOUND;
        const auto protocol = parse_protocol(words_[1]);
        if (!protocol) {
            return std::unexpected(protocol.error());
        }
        fields.protocol = *protocol;
        if (words_[3] != "->" && words_[3] != "to") {
            return wrong("'" + words_[3] + "' stands where an arrow belongs");
        }
        const auto source = end_of(words_[2]);
        const auto destination = end_of(words_[4]);
        if (!source || !destination) {
            return wrong("'" + words_[source ? 4 : 2] + "' is no address");
        }
        if (source->address.is_v4() != destination->address.is_v4()) {
            return wrong("its addresses are of different families");
        }
        fields.source = source->address;
        fields.destination = destination->address;
        if (auto good = read_options(); !good) {
            return std::unexpected(good.error());
        }
        return check(source->port, destination->port);
    }

  private:
    [[nodiscard]] std::unexpected<Error> wrong(std::string cause) const {
        return fail("read packet '" + std::string(text_) + "'", std::move(cause),
                    "write " + std::string(packet_grammar));
    }

    Result<> read_options() {
        auto& fields = packet_.fields;
        for (std::size_t at = 5; at < words_.size(); at++) {
            const std::string& word = words_[at];
            const std::string_view value = at + 1 < words_.size() ? std::string_view(words_[at + 1]) : "";
            if (word == "fragment") {
                fields.fragment = true;
            } else if (word == "ack") {
                packet_.tcp_ack = true;
            } else if (word == "type") {
                type_ = number_of<std::uint8_t>(value, 255);
                if (!type_) {
                    return wrong("a type is a number from 0 to 255");
                }
                at++;
            } else if (word == "vlan") {
                const auto vlan = number_of<std::uint16_t>(value, vlan_max);
                if (!vlan) {
                    return wrong("a VLAN is a number from 0 (untagged) to 4094");
                }
                fields.vlan = *vlan;
                at++;
            } else {
                return wrong("'" + word + "' means nothing here");
            }
        }
        return {};
    }

    [[nodiscard]] Result<PacketDescription> check(std::optional<std::uint16_t> source,
                                                  std::optional<std::uint16_t> destination) {
        auto& fields = packet_.fields;
        const std::string name = protocol_name(fields.protocol);
        if (fields.has_ports() != (source && destination) || source.has_value() != destination.has_value()) {
            return wrong(fields.has_ports()
                             ? name + " has a port at both ends"
                             : "a port, but " + (fields.fragment ? "a fragment" : name) + " has none");
        }
        if (fields.has_icmp_type() != type_.has_value()) {
            return wrong(type_ ? "a type, but " + (fields.fragment ? "a fragment" : name) + " has none"
                               : name + " has a type");
        }
        if (packet_.tcp_ack && (fields.protocol != IPPROTO_TCP || fields.fragment)) {
            return wrong("ack is for tcp");
        }
        fields.source_port = source.value_or(0);
        fields.destination_port = destination.value_or(0);
        fields.icmp_type = type_.value_or(0);
        return packet_;
    }

    std::string_view text_;
    std::vector<std::string> words_;
    PacketDescription packet_;
    std::optional<std::uint8_t> type_;
};

} // namespace

Result<PacketDescription> read_packet(std::string_view text) {
    return PacketReader(text).read();
}

std::string PacketDescription::to_string() const {
    const auto end = [&](const Address& address, std::uint16_t port) {
        return fields.has_ports() ? Endpoint{.address = address, .port = port}.to_string()
                                  : address.to_string();
    };
    std::string text = fields.direction == STEM_INBOUND ? "inbound " : "outbound ";
    text += protocol_name(fields.protocol) + " " + end(fields.source, fields.source_port) + " -> " +
            end(fields.destination, fields.destination_port);
    if (fields.has_icmp_type()) {
        text += " type " + std::to_string(fields.icmp_type);
    }
    if (fields.vlan != 0) {
        text += " vlan " + std::to_string(fields.vlan);
    }
    return text + (tcp_ack ? " ack" : "") + (fields.fragment ? " fragment" : "");
}

} // namespace stem::kernel
