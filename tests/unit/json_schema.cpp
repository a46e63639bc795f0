// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/json_schema.h"

#include <boost/json.hpp>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>

namespace stem::test {
namespace {

namespace json = boost::json;

bool is_of_type(const json::value& value, std::string_view type) {
    return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
           (type == "string" && value.is_string()) || (type == "boolean" && value.is_bool()) ||
           (type == "null" && value.is_null()) ||
           (type == "integer" && (value.is_int64() || value.is_uint64())) ||
           (type == "number" && value.is_number());
}

} // namespace

JsonSchema::JsonSchema(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) {
        throw std::runtime_error("read " + file.string());
    }
    root_ = json::parse(text.str());
}

std::string JsonSchema::fault(const json::value& value) const {
    return judge(root_, value, "");
}

const json::value& JsonSchema::follow(const std::string& reference) const {
    if (!reference.starts_with('#')) {
        throw std::runtime_error("a $ref out of the schema: " + reference);
    }
    return root_.at_pointer(reference.substr(1));
}

std::string JsonSchema::judge(const json::value& schema, const json::value& value,
                              const std::string& where) const {
    for (const auto& [keyword, rule] : schema.as_object()) {
        if (auto fault = judge_keyword(schema.as_object(), std::string(keyword), rule, value, where);
            !fault.empty()) {
            return fault;
        }
    }
    return {};
}

std::string JsonSchema::judge_members(const json::object& schema, const json::object& object,
                                      const std::string& where) const {
    const auto* properties = schema.if_contains("properties");
    const auto* others = schema.if_contains("additionalProperties");
    for (const auto& [name, member] : object) {
        const std::string at = where + "/" + std::string(name);
        const auto* rule = properties == nullptr ? nullptr : properties->as_object().if_contains(name);
        if (rule == nullptr) {
            rule = others;
            if (rule != nullptr && rule->is_bool()) {
                if (!rule->as_bool()) {
                    return at + ": not allowed";
                }
                continue;
            }
        }
        if (rule != nullptr) {
            if (auto fault = judge(*rule, member, at); !fault.empty()) {
                return fault;
            }
        }
    }
    return {};
}

std::string JsonSchema::judge_keyword(const json::object& schema, const std::string& keyword,
                                      const json::value& rule, const json::value& value,
                                      const std::string& where) const {
    static const std::set<std::string> silent = {"$schema", "$id", "title", "$defs"};
    const std::string fault = where + ": " + keyword + " " + json::serialize(rule).substr(0, 80);
    if (silent.contains(keyword)) {
        return {};
    }
    if (keyword == "$ref") {
        return judge(follow(std::string(rule.as_string())), value, where);
    }
    if (keyword == "type") {
        return is_of_type(value, rule.as_string()) ? "" : fault;
    }
    if (keyword == "const") {
        return value == rule ? "" : fault;
    }
    if (keyword == "enum") {
        return std::ranges::count(rule.as_array(), value) > 0 ? "" : fault;
    }
    if (keyword == "oneOf") {
        const auto fits = std::ranges::count_if(
            rule.as_array(), [&](const json::value& option) { return judge(option, value, where).empty(); });
        return fits == 1 ? "" : where + ": fits " + std::to_string(fits) + " of oneOf";
    }
    if (keyword == "required") {
        if (value.is_object()) {
            for (const auto& name : rule.as_array()) {
                if (!value.as_object().contains(name.as_string())) {
                    return where + ": no " + std::string(name.as_string());
                }
            }
        }
        return {};
    }
    if (keyword == "properties" || keyword == "additionalProperties") {
        return value.is_object() ? judge_members(schema, value.as_object(), where) : "";
    }
    if (keyword == "items") {
        if (value.is_array()) {
            for (const auto& item : value.as_array()) {
                if (auto inner = judge(rule, item, where + "/[]"); !inner.empty()) {
                    return inner;
                }
            }
        }
        return {};
    }
    if (keyword == "maxItems") {
        return !value.is_array() || value.as_array().size() <= rule.to_number<std::size_t>() ? "" : fault;
    }
    if (keyword == "minimum") {
        return !value.is_number() || value.to_number<double>() >= rule.to_number<double>() ? "" : fault;
    }
    if (keyword == "maximum") {
        return !value.is_number() || value.to_number<double>() <= rule.to_number<double>() ? "" : fault;
    }
    if (keyword == "minLength") {
        return !value.is_string() || value.as_string().size() >= rule.to_number<std::size_t>() ? "" : fault;
    }
    if (keyword == "maxLength") {
        return !value.is_string() || value.as_string().size() <= rule.to_number<std::size_t>() ? "" : fault;
    }
    if (keyword == "pattern") {
        const bool fits = !value.is_string() || std::regex_search(std::string(value.as_string()),
                                                                  std::regex(std::string(rule.as_string()),
                                                                             std::regex::ECMAScript));
        return fits ? "" : fault;
    }
    throw std::runtime_error("the schema has a keyword that nobody judges: " + keyword);
}

} // namespace stem::test
