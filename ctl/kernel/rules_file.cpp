// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/rules_file.h"

#include "ctl/kernel/rule_reader.h"
#include "ctl/kernel/rules_toml.h"

#include <fstream>
#include <sstream>
#include <string>

namespace stem::kernel {
namespace {

Result<> read_policy(const RulesToml& toml, const toml::node& node, Rules& rules) {
    const auto* table = node.as_table();
    if (table == nullptr) {
        return toml.wrong(node.source(), "policy", "not a table", "write [policy]");
    }
    if (auto good = toml.only(*table, "policy.", {"inbound", "outbound"}); !good) {
        return good;
    }
    for (const auto direction : {STEM_INBOUND, STEM_OUTBOUND}) {
        const char* key = direction == STEM_INBOUND ? "inbound" : "outbound";
        const auto value = toml.text(*table, key);
        if (!value) {
            return std::unexpected(value.error());
        }
        if (!*value) {
            continue;
        }
        if (**value != "pass" && **value != "drop") {
            return toml.wrong(table->get(key)->source(), std::string("policy.") + key,
                              "'" + **value + "' is no policy", "write \"pass\" or \"drop\"");
        }
        rules.policy[direction] = **value == "pass" ? STEM_ACTION_PASS : STEM_ACTION_DROP;
    }
    return {};
}

Result<> read_list(const RulesToml& toml, const toml::node& node, Rules& rules) {
    const auto* list = node.as_array();
    if (list == nullptr) {
        return toml.wrong(node.source(), "rule", "not a list of tables",
                          "write [[rule]], in double brackets");
    }
    RuleReader reader(toml);
    for (const auto& element : *list) {
        const auto* table = element.as_table();
        if (table == nullptr) {
            return toml.wrong(element.source(), "rule", "not a table", "write [[rule]]");
        }
        if (rules.rules.size() == STEM_RULES_MAX) {
            return toml.wrong(element.source(), "rule",
                              "more than " + std::to_string(STEM_RULES_MAX) + " rules",
                              "join rules by networks and port ranges");
        }
        if (auto good = reader.read(*table, rules); !good) {
            return good;
        }
    }
    return {};
}

// The first error ends it.
Result<Rules> read_all(const RulesToml& toml, const toml::table& file) {
    Rules rules;
    rules.file = toml.file();
    if (auto good = toml.only(file, "", {"policy", "rule"}); !good) {
        return std::unexpected(good.error());
    }
    if (const auto* policy = file.get("policy")) {
        if (auto good = read_policy(toml, *policy, rules); !good) {
            return std::unexpected(good.error());
        }
    }
    if (const auto* list = file.get("rule")) {
        if (auto good = read_list(toml, *list, rules); !good) {
            return std::unexpected(good.error());
        }
    }
    return rules;
}

} // namespace

Result<Rules> parse_rules(std::string_view text, std::string_view name) {
    // The packaged library throws; here is where that ends.
    try {
        return read_all(RulesToml(name), toml::parse(text, name));
    } catch (const toml::parse_error& error) {
        return fail("read rules, " + std::string(name) + " line " + std::to_string(error.source().begin.line),
                    std::string(error.description()), "the file must be TOML");
    }
}

Result<Rules> read_rules_file(const std::filesystem::path& path) {
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
