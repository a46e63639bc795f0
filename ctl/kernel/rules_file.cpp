// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/rules_file.h"

#include "ctl/kernel/network.h"
#include "ctl/kernel/rule_fields.h"

#include <netinet/in.h>

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <set>
#include <sstream>
#include <string>

namespace stem::kernel {
namespace {

constexpr std::int64_t vlan_max = 4094;
constexpr std::int64_t icmp_type_max = 255;

// One file on its way to a ruleset. The first error ends it.
class Reader {
  public:
    explicit Reader(std::string_view name) : name_(name) {}

    Result<stem_ruleset> read(const toml::table& file) {
        if (auto good = only(file, "", {"policy", "rule"}); !good) {
            return std::unexpected(good.error());
        }
        set_.policy[STEM_INBOUND] = STEM_ACTION_DROP;
        set_.policy[STEM_OUTBOUND] = STEM_ACTION_DROP;
        if (const auto* policy = file.get("policy")) {
            if (auto good = read_policy(*policy); !good) {
                return std::unexpected(good.error());
            }
        }
        if (const auto* rules = file.get("rule")) {
            if (auto good = read_rules(*rules); !good) {
                return std::unexpected(good.error());
            }
        }
        return set_;
    }

  private:
    [[nodiscard]] std::unexpected<Error> wrong(const toml::source_region& at, const std::string& key,
                                               std::string cause, std::string remedy = {}) const {
        return fail("read rules, " + name_ + " line " + std::to_string(at.begin.line) +
                        (key.empty() ? "" : ", key '" + key + "'"),
                    std::move(cause), std::move(remedy));
    }

    // Refuses keys that are not in `known`: a misspelt condition would make a rule wider than meant.
    [[nodiscard]] Result<> only(const toml::table& table, const std::string& within,
                                std::initializer_list<std::string_view> known) const {
        for (const auto& [key, value] : table) {
            if (std::ranges::find(known, key.str()) != known.end()) {
                continue;
            }
            std::string list;
            for (const auto name : known) {
                list += (list.empty() ? "" : ", ") + std::string(name);
            }
            return wrong(key.source(), within + std::string(key.str()), "no such key", "known are " + list);
        }
        return {};
    }

    // A string, or nothing if the key is not there.
    [[nodiscard]] Result<std::optional<std::string>> text(const toml::table& table, const char* key) const {
        const auto* node = table.get(key);
        if (node == nullptr) {
            return std::nullopt;
        }
        if (auto value = node->value_exact<std::string>()) {
            return value;
        }
        return wrong(node->source(), key, "not a string", std::string("write ") + key + " = \"…\"");
    }

    // A whole number from `low` to `high`, or nothing if the key is not there.
    [[nodiscard]] Result<std::optional<std::int64_t>> number(const toml::table& table, const char* key,
                                                             std::int64_t low, std::int64_t high) const {
        const auto* node = table.get(key);
        if (node == nullptr) {
            return std::nullopt;
        }
        const auto value = node->value_exact<std::int64_t>();
        if (!value || *value < low || *value > high) {
            return wrong(node->source(), key,
                         "not a number from " + std::to_string(low) + " to " + std::to_string(high));
        }
        return value;
    }

    [[nodiscard]] Result<> read_policy(const toml::node& node) {
        const auto* table = node.as_table();
        if (table == nullptr) {
            return wrong(node.source(), "policy", "not a table", "write [policy]");
        }
        if (auto good = only(*table, "policy.", {"inbound", "outbound"}); !good) {
            return good;
        }
        for (const auto direction : {STEM_INBOUND, STEM_OUTBOUND}) {
            const char* key = direction == STEM_INBOUND ? "inbound" : "outbound";
            const auto value = text(*table, key);
            if (!value) {
                return std::unexpected(value.error());
            }
            if (!*value) {
                continue;
            }
            if (**value != "pass" && **value != "drop") {
                return wrong(table->get(key)->source(), std::string("policy.") + key,
                             "'" + **value + "' is no policy", "write \"pass\" or \"drop\"");
            }
            set_.policy[direction] = **value == "pass" ? STEM_ACTION_PASS : STEM_ACTION_DROP;
        }
        return {};
    }

    [[nodiscard]] Result<> read_rules(const toml::node& node) {
        const auto* rules = node.as_array();
        if (rules == nullptr) {
            return wrong(node.source(), "rule", "not a list of tables", "write [[rule]], in double brackets");
        }
        for (const auto& element : *rules) {
            const auto* table = element.as_table();
            if (table == nullptr) {
                return wrong(element.source(), "rule", "not a table", "write [[rule]]");
            }
            if (set_.count == STEM_RULES_MAX) {
                return wrong(element.source(), "rule",
                             "more than " + std::to_string(STEM_RULES_MAX) + " rules",
                             "join rules by networks and port ranges");
            }
            if (auto good = read_rule(*table, set_.rule[set_.count]); !good) {
                return good;
            }
            set_.count++;
        }
        return {};
    }

    [[nodiscard]] Result<> read_rule(const toml::table& table, stem_rule& rule) {
        if (auto good = only(table, "",
                             {"name", "action", "direction", "source", "destination", "protocol",
                              "source_port", "destination_port", "icmp_type", "vlan"});
            !good) {
            return good;
        }
        for (auto step :
             {&Reader::read_name, &Reader::read_action, &Reader::read_direction, &Reader::read_networks,
              &Reader::read_protocol, &Reader::read_ports, &Reader::read_icmp_type, &Reader::read_vlan}) {
            if (auto good = (this->*step)(table, rule); !good) {
                return good;
            }
        }
        if (rule.action == STEM_ACTION_STEER && rule.protocol != IPPROTO_UDP) {
            return wrong(table.get("action")->source(), "action", "stemd reads UDP only",
                         "add protocol = \"udp\" to a rule that steers");
        }
        return {};
    }

    [[nodiscard]] Result<> read_name(const toml::table& table, stem_rule& rule) {
        const auto name = text(table, "name");
        if (!name) {
            return std::unexpected(name.error());
        }
        if (!*name || (*name)->empty() || (*name)->size() >= sizeof(rule.name)) {
            return wrong(table.source(), "name", "a rule needs a name of 1 to 31 octets",
                         "write name = \"…\"");
        }
        if (!names_.insert(**name).second) {
            return wrong(table.get("name")->source(), "name", "two rules are called '" + **name + "'",
                         "give each its own");
        }
        (*name)->copy(rule.name, sizeof(rule.name) - 1);
        return {};
    }

    [[nodiscard]] Result<> read_action(const toml::table& table, stem_rule& rule) {
        const auto value = text(table, "action");
        if (!value) {
            return std::unexpected(value.error());
        }
        const auto action = *value ? parse_action(**value) : std::nullopt;
        if (!action) {
            return wrong(*value ? table.get("action")->source() : table.source(), "action",
                         *value ? "'" + **value + "' is no action" : "rule without an action",
                         "write \"pass\", \"drop\" or \"steer\"");
        }
        rule.action = static_cast<std::uint8_t>(*action);
        return {};
    }

    [[nodiscard]] Result<> read_direction(const toml::table& table, stem_rule& rule) {
        const auto value = text(table, "direction");
        if (!value) {
            return std::unexpected(value.error());
        }
        const std::string direction = value->value_or("both");
        if (direction != "inbound" && direction != "outbound" && direction != "both") {
            return wrong(table.get("direction")->source(), "direction", "'" + direction + "' is no direction",
                         "write \"inbound\", \"outbound\" or \"both\"");
        }
        if (direction != "outbound") {
            rule.match |= STEM_MATCH_INBOUND;
        }
        if (direction != "inbound") {
            rule.match |= STEM_MATCH_OUTBOUND;
        }
        return {};
    }

    [[nodiscard]] Result<> read_networks(const toml::table& table, stem_rule& rule) {
        std::optional<bool> family_v4;
        for (const char* key : {"source", "destination"}) {
            const auto value = text(table, key);
            if (!value) {
                return std::unexpected(value.error());
            }
            if (!*value) {
                continue;
            }
            const auto at = table.get(key)->source();
            const auto network = Cidr::parse(**value);
            if (!network) {
                return wrong(at, key, network.error().message());
            }
            if (auto good = require_one_family(*network); !good) {
                return wrong(at, key, good.error().message());
            }
            const bool is_v4 = network->network().is_v4();
            if (family_v4 && *family_v4 != is_v4) {
                return wrong(at, key, "source and destination are of different families",
                             "no packet could match: write a rule for each family");
            }
            family_v4 = is_v4;
            key == std::string_view("source") ? set_source(rule, *network) : set_destination(rule, *network);
        }
        return {};
    }

    [[nodiscard]] Result<> read_protocol(const toml::table& table, stem_rule& rule) {
        const auto* node = table.get("protocol");
        if (node == nullptr) {
            return {};
        }
        std::string name;
        if (const auto number = node->value_exact<std::int64_t>()) {
            name = std::to_string(*number);
        } else if (auto value = text(table, "protocol"); value && *value) {
            name = **value;
        } else {
            return std::unexpected(value.error());
        }
        const auto protocol = parse_protocol(name);
        if (!protocol) {
            return wrong(node->source(), "protocol", protocol.error().message());
        }
        rule.protocol = *protocol;
        rule.match |= STEM_MATCH_PROTOCOL;
        return {};
    }

    [[nodiscard]] Result<> read_ports(const toml::table& table, stem_rule& rule) {
        for (const char* key : {"source_port", "destination_port"}) {
            const auto* node = table.get(key);
            if (node == nullptr) {
                continue;
            }
            std::string ports;
            if (const auto number = node->value_exact<std::int64_t>()) {
                ports = std::to_string(*number);
            } else if (auto value = text(table, key); value && *value) {
                ports = **value;
            } else {
                return std::unexpected(value.error());
            }
            const auto range = parse_port_range(ports);
            if (!range) {
                return wrong(node->source(), key, range.error().message());
            }
            if (rule.protocol != IPPROTO_TCP && rule.protocol != IPPROTO_UDP) {
                return wrong(node->source(), key, "ports without protocol tcp or udp",
                             "add protocol = \"udp\" or \"tcp\"");
            }
            if (key == std::string_view("source_port")) {
                rule.source_port_low = range->low;
                rule.source_port_high = range->high;
                rule.match |= STEM_MATCH_SOURCE_PORT;
            } else {
                rule.destination_port_low = range->low;
                rule.destination_port_high = range->high;
                rule.match |= STEM_MATCH_DESTINATION_PORT;
            }
        }
        return {};
    }

    [[nodiscard]] Result<> read_icmp_type(const toml::table& table, stem_rule& rule) {
        const auto type = number(table, "icmp_type", 0, icmp_type_max);
        if (!type) {
            return std::unexpected(type.error());
        }
        if (!*type) {
            return {};
        }
        if (rule.protocol != IPPROTO_ICMP && rule.protocol != IPPROTO_ICMPV6) {
            return wrong(table.get("icmp_type")->source(), "icmp_type",
                         "an ICMP type without protocol icmp or icmpv6",
                         "add protocol = \"icmp\" or \"icmpv6\"");
        }
        rule.icmp_type = static_cast<std::uint8_t>(**type);
        rule.match |= STEM_MATCH_ICMP_TYPE;
        return {};
    }

    [[nodiscard]] Result<> read_vlan(const toml::table& table, stem_rule& rule) {
        const auto vlan = number(table, "vlan", 0, vlan_max);
        if (!vlan) {
            return std::unexpected(vlan.error());
        }
        if (*vlan) {
            rule.vlan = static_cast<std::uint16_t>(**vlan);
            rule.match |= STEM_MATCH_VLAN;
        }
        return {};
    }

    std::string name_;
    stem_ruleset set_{};
    std::set<std::string> names_;
};

} // namespace

Result<stem_ruleset> parse_rules(std::string_view text, std::string_view name) {
    // The packaged library throws; here is where that ends.
    try {
        return Reader(name).read(toml::parse(text, name));
    } catch (const toml::parse_error& error) {
        return fail("read rules, " + std::string(name) + " line " + std::to_string(error.source().begin.line),
                    std::string(error.description()), "the file must be TOML");
    }
}

Result<stem_ruleset> read_rules_file(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::ostringstream text;
    if (!file || std::filesystem::is_directory(path) || !(text << file.rdbuf())) {
        // An empty file gives nothing to copy, which the stream calls a failure.
        std::error_code ignored;
        if (!std::filesystem::is_regular_file(path, ignored) ||
            std::filesystem::file_size(path, ignored) > 0) {
            return fail_errno("read rules file " + path.string(), errno != 0 ? errno : EIO,
                              "give a TOML file that you may read");
        }
    }
    return parse_rules(text.str(), path.string());
}

} // namespace stem::kernel
