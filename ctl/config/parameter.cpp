// SPDX-License-Identifier: Apache-2.0
#include "ctl/config/parameter.h"

#include <fmt/format.h>

namespace stem::config {
namespace {

std::string in_quotes(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out + '"';
}

template<typename Range, typename Spell>
std::string joined(const Range& range, Spell spell) {
    std::string out;
    for (const auto& element : range) {
        out += out.empty() ? "" : ", ";
        out += spell(element);
    }
    return out;
}

struct Allowed {
    std::string operator()(const Integer& kind) const {
        return fmt::format("an integer from {} to {}{}{}", kind.low, kind.high,
                           kind.power_of_two ? ", a power of two" : "",
                           kind.unit.empty() ? "" : fmt::format(" ({})", kind.unit));
    }
    std::string operator()(const Choice& kind) const { return "one of " + joined(kind.words, in_quotes); }
    std::string operator()(const Text& kind) const { return std::string(kind.form); }
    std::string operator()(const TextList& kind) const { return fmt::format("a list; each {}", kind.form); }
    std::string operator()(const NetworkList& /*kind*/) const {
        return "a list; each a network or address, such as \"192.0.2.0/24\" or \"2001:db8::1\"";
    }
};

struct Literal {
    const Config& config;

    std::string operator()(const Integer& kind) const { return std::to_string(kind.read(config)); }
    std::string operator()(const Choice& kind) const { return in_quotes(kind.words[kind.read(config)]); }
    std::string operator()(const Text& kind) const { return in_quotes(kind.read(config)); }
    std::string operator()(const TextList& kind) const {
        return '[' + joined(kind.read(config), [](const std::string& text) { return in_quotes(text); }) + ']';
    }
    std::string operator()(const NetworkList& kind) const {
        return '[' + joined(kind.read(config), [](const Cidr& net) { return in_quotes(net.to_string()); }) +
               ']';
    }
};

} // namespace

std::string Parameter::name() const {
    return fmt::format("{}.{}", section, key);
}

std::string allowed(const Parameter& parameter) {
    return std::visit(Allowed{}, parameter.kind);
}

std::string literal(const Parameter& parameter, const Config& config) {
    return std::visit(Literal{config}, parameter.kind);
}

void copy(const Parameter& parameter, const Config& from, Config& to) {
    std::visit([&](const auto& kind) { kind.write(to, kind.read(from)); }, parameter.kind);
}

Changes compare(const Config& before, const Config& after) {
    Changes changes;
    for (const Parameter& parameter : parameters()) {
        if (literal(parameter, before) != literal(parameter, after)) {
            (parameter.live ? changes.live : changes.after_restart).push_back(parameter.name());
        }
    }
    return changes;
}

Config merge_live(const Config& before, const Config& after) {
    Config merged = before;
    for (const Parameter& parameter : parameters()) {
        if (parameter.live) {
            copy(parameter, after, merged);
        }
    }
    return merged;
}

} // namespace stem::config
