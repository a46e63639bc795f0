// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/rule_reader.h"

#include "ctl/kernel/rule_fields.h"

#include <netinet/in.h>

namespace stem::kernel {
namespace {

constexpr std::int64_t vlan_max = 4094;
constexpr std::int64_t icmp_type_max = 255;
constexpr std::size_t interface_name_max = 15; // IFNAMSIZ, less its NUL

std::uint32_t line_of(const toml::node& node) {
    return static_cast<std::uint32_t>(node.source().begin.line);
}

} // namespace

Result<> RuleReader::read(const toml::table& table, Rules& into) {
    rule_ = {};
    place_ = {.line = line_of(table)};
    if (auto good =
            toml_->only(table, "",
                        {"name", "action", "log", "keep_state", "direction", "interface", "source",
                         "destination", "protocol", "source_port", "destination_port", "icmp_type", "vlan"});
        !good) {
        return good;
    }
    for (auto step : {&RuleReader::read_name, &RuleReader::read_action, &RuleReader::read_log,
                      &RuleReader::read_keep_state, &RuleReader::read_direction, &RuleReader::read_interface,
                      &RuleReader::read_networks, &RuleReader::read_protocol, &RuleReader::read_ports,
                      &RuleReader::read_icmp_type, &RuleReader::read_vlan}) {
        if (auto good = (this->*step)(table); !good) {
            return good;
        }
    }
    if (auto good = check(table); !good) {
        return good;
    }
    into.rules.push_back(rule_);
    into.places.push_back(std::move(place_));
    return {};
}

Result<> RuleReader::check(const toml::table& table) const {
    if (rule_.action == STEM_ACTION_STEER && rule_.protocol != IPPROTO_UDP && rule_.protocol != IPPROTO_TCP) {
        return toml_->wrong(table.get("action")->source(), "action",
                            "only SIP over UDP (to stemd) and TCP (to the SIP proxy) is steered",
                            "add protocol = \"udp\" or \"tcp\" to a rule that steers");
    }
    return {};
}

Result<> RuleReader::read_name(const toml::table& table) {
    const auto name = toml_->text(table, "name");
    if (!name) {
        return std::unexpected(name.error());
    }
    if (!*name || (*name)->empty() || (*name)->size() >= sizeof(rule_.name)) {
        return toml_->wrong(*name ? table.get("name")->source() : table.source(), "name",
                            "a rule needs a name of 1 to 31 octets", "write name = \"…\"");
    }
    const auto [other, is_new] = names_.emplace(**name, line_of(*table.get("name")));
    if (!is_new) {
        return toml_->wrong(table.get("name")->source(), "name",
                            "two rules are called '" + **name + "', the other in line " +
                                std::to_string(other->second),
                            "give each its own");
    }
    (*name)->copy(rule_.name, sizeof(rule_.name) - 1);
    return {};
}

Result<> RuleReader::read_action(const toml::table& table) {
    const auto value = toml_->text(table, "action");
    if (!value) {
        return std::unexpected(value.error());
    }
    const auto action = *value ? parse_action(**value) : std::nullopt;
    if (!action) {
        return toml_->wrong(*value ? table.get("action")->source() : table.source(), "action",
                            *value ? "'" + **value + "' is no action" : "rule without an action",
                            "write \"pass\", \"drop\", \"steer\" or \"log\"");
    }
    rule_.action = static_cast<std::uint8_t>(*action);
    return {};
}

Result<> RuleReader::read_log(const toml::table& table) {
    const auto value = toml_->flag(table, "log");
    if (!value) {
        return std::unexpected(value.error());
    }
    if (rule_.action == STEM_ACTION_LOG && *value && !**value) {
        return toml_->wrong(table.get("log")->source(), "log", "a rule whose action is \"log\" logs",
                            "leave log = false out");
    }
    if (rule_.action == STEM_ACTION_LOG || value->value_or(false)) {
        rule_.flags |= STEM_RULE_LOG;
    }
    return {};
}

Result<> RuleReader::read_keep_state(const toml::table& table) {
    const auto value = toml_->flag(table, "keep_state");
    if (!value) {
        return std::unexpected(value.error());
    }
    if (!value->value_or(false)) {
        return {};
    }
    if (rule_.action != STEM_ACTION_PASS) {
        return toml_->wrong(table.get("keep_state")->source(), "keep_state",
                            "only a rule that passes a connection can let its answers back",
                            "write action = \"pass\", or leave keep_state out");
    }
    rule_.flags |= STEM_RULE_KEEP_STATE;
    return {};
}

Result<> RuleReader::read_direction(const toml::table& table) {
    const auto value = toml_->text(table, "direction");
    if (!value) {
        return std::unexpected(value.error());
    }
    const std::string direction = value->value_or("both");
    if (direction != "inbound" && direction != "outbound" && direction != "both") {
        return toml_->wrong(table.get("direction")->source(), "direction",
                            "'" + direction + "' is no direction",
                            "write \"inbound\", \"outbound\" or \"both\"");
    }
    if (direction != "outbound") {
        rule_.match |= STEM_MATCH_INBOUND;
    }
    if (direction != "inbound") {
        rule_.match |= STEM_MATCH_OUTBOUND;
    }
    return {};
}

Result<> RuleReader::read_interface(const toml::table& table) {
    const auto value = toml_->text(table, "interface");
    if (!value) {
        return std::unexpected(value.error());
    }
    if (!*value) {
        return {};
    }
    if ((*value)->empty() || (*value)->size() > interface_name_max) {
        return toml_->wrong(table.get("interface")->source(), "interface",
                            "'" + **value + "' cannot be an interface's name",
                            "name the interface that packets come in by");
    }
    place_.interface = **value;
    place_.interface_line = line_of(*table.get("interface"));
    return {};
}

Result<> RuleReader::read_networks(const toml::table& table) {
    std::optional<bool> family_v4;
    for (const char* key : {"source", "destination"}) {
        const auto value = toml_->text(table, key);
        if (!value) {
            return std::unexpected(value.error());
        }
        if (!*value) {
            continue;
        }
        const auto at = table.get(key)->source();
        const auto network = Cidr::parse(**value);
        if (!network) {
            return toml_->wrong(at, key, network.error().message());
        }
        const bool is_v4 = network->network().is_v4();
        if (family_v4 && *family_v4 != is_v4) {
            return toml_->wrong(at, key, "source and destination are of different families",
                                "no packet could match: write a rule for each family");
        }
        family_v4 = is_v4;
        key == std::string_view("source") ? set_source(rule_, *network) : set_destination(rule_, *network);
    }
    return {};
}

Result<> RuleReader::read_protocol(const toml::table& table) {
    const auto name = toml_->text_or_number(table, "protocol");
    if (!name) {
        return std::unexpected(name.error());
    }
    if (!*name) {
        return {};
    }
    const auto protocol = parse_protocol(**name);
    if (!protocol) {
        return toml_->wrong(table.get("protocol")->source(), "protocol", protocol.error().message());
    }
    rule_.protocol = *protocol;
    rule_.match |= STEM_MATCH_PROTOCOL;
    return {};
}

Result<> RuleReader::read_ports(const toml::table& table) {
    for (const char* key : {"source_port", "destination_port"}) {
        const auto ports = toml_->text_or_number(table, key);
        if (!ports) {
            return std::unexpected(ports.error());
        }
        if (!*ports) {
            continue;
        }
        const auto at = table.get(key)->source();
        const auto range = parse_port_range(**ports);
        if (!range) {
            return toml_->wrong(at, key, range.error().message());
        }
        if (rule_.protocol != IPPROTO_TCP && rule_.protocol != IPPROTO_UDP && rule_.protocol != IPPROTO_TCP) {
            return toml_->wrong(at, key, "ports without protocol tcp or udp",
                                "add protocol = \"udp\" or \"tcp\"");
        }
        if (key == std::string_view("source_port")) {
            rule_.source_port_low = range->low;
            rule_.source_port_high = range->high;
            rule_.match |= STEM_MATCH_SOURCE_PORT;
        } else {
            rule_.destination_port_low = range->low;
            rule_.destination_port_high = range->high;
            rule_.match |= STEM_MATCH_DESTINATION_PORT;
        }
    }
    return {};
}

Result<> RuleReader::read_icmp_type(const toml::table& table) {
    const auto type = toml_->number(table, "icmp_type", 0, icmp_type_max);
    if (!type) {
        return std::unexpected(type.error());
    }
    if (!*type) {
        return {};
    }
    if (rule_.protocol != IPPROTO_ICMP && rule_.protocol != IPPROTO_ICMPV6) {
        return toml_->wrong(table.get("icmp_type")->source(), "icmp_type",
                            "an ICMP type without protocol icmp or icmpv6",
                            "add protocol = \"icmp\" or \"icmpv6\"");
    }
    rule_.icmp_type = static_cast<std::uint8_t>(**type);
    rule_.match |= STEM_MATCH_ICMP_TYPE;
    return {};
}

Result<> RuleReader::read_vlan(const toml::table& table) {
    const auto vlan = toml_->number(table, "vlan", 0, vlan_max);
    if (!vlan) {
        return std::unexpected(vlan.error());
    }
    if (*vlan) {
        rule_.vlan = static_cast<std::uint16_t>(**vlan);
        rule_.match |= STEM_MATCH_VLAN;
    }
    return {};
}

} // namespace stem::kernel
