// SPDX-License-Identifier: Apache-2.0
// One parameter of a program's configuration `C`: reading, checking and documentation all come from this
// description, and a program's configuration is one list of them.
#pragma once

#include <stem/address.h>

#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stem::settings {

template<typename C>
struct Integer {
    std::string_view unit; // "octets", "ms", ...; "" = a plain number
    std::int64_t low;
    std::int64_t high;
    bool power_of_two;
    std::int64_t (*read)(const C&);
    void (*write)(C&, std::int64_t);
};

template<typename C>
struct Choice {
    std::span<const std::string_view> words;
    std::size_t (*read)(const C&); // index in `words`
    void (*write)(C&, std::size_t);
};

template<typename C>
struct Text {
    std::string_view form; // what is allowed, for people
    bool (*fits)(std::string_view);
    const std::string& (*read)(const C&);
    void (*write)(C&, std::string);
};

template<typename C>
struct TextList {
    std::string_view form; // of one element
    bool (*fits)(std::string_view);
    const std::vector<std::string>& (*read)(const C&);
    void (*write)(C&, std::vector<std::string>);
};

template<typename C>
struct NetworkList {
    const std::vector<Cidr>& (*read)(const C&);
    void (*write)(C&, std::vector<Cidr>);
};

template<typename C>
struct Parameter {
    std::string_view section; // "sip.limits"
    std::string_view key;
    std::variant<Integer<C>, Choice<C>, Text<C>, TextList<C>, NetworkList<C>> kind;
    std::string_view help;
    bool live = false; // a running program takes it over on SIGHUP

    [[nodiscard]] std::string name() const { return fmt::format("{}.{}", section, key); }
};

struct Section {
    std::string_view name;
    std::string_view help;
};

// All that a program's configuration can say, in the order in which it is documented.
template<typename C>
struct Schema {
    std::string_view program;      // "stemd"
    std::string_view default_file; // "/etc/stem/stemd.toml"
    std::span<const Section> sections;
    std::span<const Parameter<C>> parameters;
};

// "section.key" of each parameter that differs, by whether a running program can take it over.
struct Changes {
    std::vector<std::string> live;
    std::vector<std::string> after_restart;
};

inline std::string in_quotes(std::string_view text) {
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

template<typename C>
struct Allowed {
    std::string operator()(const Integer<C>& kind) const {
        return fmt::format("an integer from {} to {}{}{}", kind.low, kind.high,
                           kind.power_of_two ? ", a power of two" : "",
                           kind.unit.empty() ? "" : fmt::format(" ({})", kind.unit));
    }
    std::string operator()(const Choice<C>& kind) const { return "one of " + joined(kind.words, in_quotes); }
    std::string operator()(const Text<C>& kind) const { return std::string(kind.form); }
    std::string operator()(const TextList<C>& kind) const {
        return fmt::format("a list; each {}", kind.form);
    }
    std::string operator()(const NetworkList<C>& /*kind*/) const {
        return "a list; each a network or address, such as \"192.0.2.0/24\" or \"2001:db8::1\"";
    }
};

template<typename C>
struct Literal {
    const C& config;

    std::string operator()(const Integer<C>& kind) const { return std::to_string(kind.read(config)); }
    std::string operator()(const Choice<C>& kind) const { return in_quotes(kind.words[kind.read(config)]); }
    std::string operator()(const Text<C>& kind) const { return in_quotes(kind.read(config)); }
    std::string operator()(const TextList<C>& kind) const {
        return '[' + joined(kind.read(config), [](const std::string& text) { return in_quotes(text); }) + ']';
    }
    std::string operator()(const NetworkList<C>& kind) const {
        return '[' + joined(kind.read(config), [](const Cidr& net) { return in_quotes(net.to_string()); }) +
               ']';
    }
};

// "an integer from 1 to 64 (octets)", "one of \"accept\", \"reject\"".
template<typename C>
std::string allowed(const Parameter<C>& parameter) {
    return std::visit(Allowed<C>{}, parameter.kind);
}

// The value as a TOML literal.
template<typename C>
std::string literal(const Parameter<C>& parameter, const C& config) {
    return std::visit(Literal<C>{config}, parameter.kind);
}

// Copies one parameter's value.
template<typename C>
void copy(const Parameter<C>& parameter, const C& from, C& to) {
    std::visit([&](const auto& kind) { kind.write(to, kind.read(from)); }, parameter.kind);
}

template<typename C>
Changes compare(const Schema<C>& schema, const C& before, const C& after) {
    Changes changes;
    for (const Parameter<C>& parameter : schema.parameters) {
        if (literal(parameter, before) != literal(parameter, after)) {
            (parameter.live ? changes.live : changes.after_restart).push_back(parameter.name());
        }
    }
    return changes;
}

// `before` with those parameters of `after` that a running program can take over.
template<typename C>
C merge_live(const Schema<C>& schema, const C& before, const C& after) {
    C merged = before;
    for (const Parameter<C>& parameter : schema.parameters) {
        if (parameter.live) {
            copy(parameter, after, merged);
        }
    }
    return merged;
}

// All sections and keys with type, range, default and help, in Markdown.
template<typename C>
std::string describe(const Schema<C>& schema) {
    std::string out = fmt::format(
        "# Configuration of {0}\n"
        "\n"
        "{0} reads `{1}` if it is there, or the file that `--config` names. It is TOML; every "
        "key has a\n"
        "default, and a key or value that {0} does not know is an error that names file, line and "
        "key.\n"
        "This page is what `{0} --help-config` prints. Keys marked *live* take effect on SIGHUP, "
        "the others "
        "on a restart.\n",
        schema.program, schema.default_file);
    const C defaults;
    for (const Section& section : schema.sections) {
        out += fmt::format("\n## [{}]\n\n{}\n\n", section.name, section.help);
        for (const Parameter<C>& parameter : schema.parameters) {
            if (parameter.section == section.name) {
                out += fmt::format("- `{} = {}`: {}.{}\n  {}\n", parameter.key, literal(parameter, defaults),
                                   allowed(parameter), parameter.live ? " *live*" : "", parameter.help);
            }
        }
    }
    return out;
}

} // namespace stem::settings
