// SPDX-License-Identifier: Apache-2.0
// One parameter of the configuration: reading, checking and documentation all come from this description.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ctl/config/config.h"

namespace stem::config {

struct Integer {
    std::string_view unit; // "octets", "ms", ...; "" = a plain number
    std::int64_t low;
    std::int64_t high;
    bool power_of_two;
    std::int64_t (*read)(const Config&);
    void (*write)(Config&, std::int64_t);
};

struct Choice {
    std::span<const std::string_view> words;
    std::size_t (*read)(const Config&); // index in `words`
    void (*write)(Config&, std::size_t);
};

struct Text {
    std::string_view form; // what is allowed, for people
    bool (*fits)(std::string_view);
    const std::string& (*read)(const Config&);
    void (*write)(Config&, std::string);
};

struct TextList {
    std::string_view form; // of one element
    bool (*fits)(std::string_view);
    const std::vector<std::string>& (*read)(const Config&);
    void (*write)(Config&, std::vector<std::string>);
};

struct NetworkList {
    const std::vector<Cidr>& (*read)(const Config&);
    void (*write)(Config&, std::vector<Cidr>);
};

struct Parameter {
    std::string_view section; // "sip.limits"
    std::string_view key;
    std::variant<Integer, Choice, Text, TextList, NetworkList> kind;
    std::string_view help;
    bool live = false; // a running stemd takes it over on SIGHUP

    [[nodiscard]] std::string name() const; // "sip.limits.message"
};

struct Section {
    std::string_view name;
    std::string_view help;
};

// In the order in which they are documented.
std::span<const Section> sections();
std::span<const Parameter> parameters();

// "an integer from 1 to 64 (octets)", "one of \"accept\", \"reject\"".
std::string allowed(const Parameter& parameter);
// The value as a TOML literal.
std::string literal(const Parameter& parameter, const Config& config);
// Copies one parameter's value.
void copy(const Parameter& parameter, const Config& from, Config& to);

} // namespace stem::config
