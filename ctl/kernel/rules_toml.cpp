// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/rules_toml.h"

#include <algorithm>

namespace stem::kernel {

std::unexpected<Error> RulesToml::wrong(const toml::source_region& at, const std::string& key,
                                        std::string cause, std::string remedy) const {
    return fail("read rules, " + file_ + " line " + std::to_string(at.begin.line) +
                    (key.empty() ? "" : ", key '" + key + "'"),
                std::move(cause), std::move(remedy));
}

Result<> RulesToml::only(const toml::table& table, const std::string& within,
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

Result<std::optional<std::string>> RulesToml::text(const toml::table& table, const char* key) const {
    const auto* node = table.get(key);
    if (node == nullptr) {
        return std::nullopt;
    }
    if (auto value = node->value_exact<std::string>()) {
        return value;
    }
    return wrong(node->source(), key, "not a string", std::string("write ") + key + " = \"…\"");
}

Result<std::optional<std::int64_t>> RulesToml::number(const toml::table& table, const char* key,
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

Result<std::optional<bool>> RulesToml::flag(const toml::table& table, const char* key) const {
    const auto* node = table.get(key);
    if (node == nullptr) {
        return std::nullopt;
    }
    if (const auto value = node->value_exact<bool>()) {
        return value;
    }
    return wrong(node->source(), key, "neither true nor false", std::string("write ") + key + " = true");
}

Result<std::optional<std::string>> RulesToml::text_or_number(const toml::table& table,
                                                             const char* key) const {
    if (const auto* node = table.get(key)) {
        if (const auto number = node->value_exact<std::int64_t>()) {
            return std::to_string(*number);
        }
    }
    return text(table, key);
}

} // namespace stem::kernel
