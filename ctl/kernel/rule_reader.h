// SPDX-License-Identifier: Apache-2.0
// One [[rule]] of a rules file.
#pragma once

#include "ctl/kernel/rules.h"
#include "ctl/kernel/rules_toml.h"

#include <map>

namespace stem::kernel {

class RuleReader {
  public:
    explicit RuleReader(const RulesToml& toml) noexcept : toml_(&toml) {}

    // Appends the rule and its place.
    [[nodiscard]] Result<> read(const toml::table& table, Rules& into);

  private:
    [[nodiscard]] Result<> read_name(const toml::table& table);
    [[nodiscard]] Result<> read_action(const toml::table& table);
    [[nodiscard]] Result<> read_log(const toml::table& table);
    [[nodiscard]] Result<> read_keep_state(const toml::table& table);
    [[nodiscard]] Result<> read_direction(const toml::table& table);
    [[nodiscard]] Result<> read_interface(const toml::table& table);
    [[nodiscard]] Result<> read_networks(const toml::table& table);
    [[nodiscard]] Result<> read_protocol(const toml::table& table);
    [[nodiscard]] Result<> read_ports(const toml::table& table);
    [[nodiscard]] Result<> read_icmp_type(const toml::table& table);
    [[nodiscard]] Result<> read_vlan(const toml::table& table);
    [[nodiscard]] Result<> check(const toml::table& table) const;

    const RulesToml* toml_;
    stem_rule rule_{};
    RulePlace place_;
    std::map<std::string, std::uint32_t> names_; // to the line of each
};

} // namespace stem::kernel
