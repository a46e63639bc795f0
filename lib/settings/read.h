// SPDX-License-Identifier: Apache-2.0
// Reads a configuration from TOML, by its schema. Errors name file, line and key, and what is allowed there.
// For the one file of a program that reads its configuration: toml++ is large.
#pragma once

#include "lib/settings/parameter.h"

#include <stem/error.h>

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace stem::settings {

// One file being read. The first error ends it.
template<typename C>
class Reader {
  public:
    Reader(const Schema<C>& schema, const std::string& file) : schema_(schema), file_(file) {}

    Result<C> read(const toml::table& root) {
        if (auto done = read_table("", root); !done) {
            return std::unexpected(done.error());
        }
        return std::move(config_);
    }

  private:
    [[nodiscard]] std::unexpected<Error> refuse(const toml::node& node, const std::string& cause,
                                                std::string remedy) const {
        return fail(fmt::format("read configuration {}:{}", file_, node.source().begin.line), cause,
                    std::move(remedy));
    }

    Result<> read_table(const std::string& section, const toml::table& table) {
        for (const auto& [key, node] : table) {
            const std::string name =
                section.empty() ? std::string(key.str()) : fmt::format("{}.{}", section, key.str());
            auto done = node.is_table() ? enter(name, node) : read_key(section, name, key.str(), node);
            if (!done) {
                return done;
            }
        }
        return {};
    }

    Result<> enter(const std::string& name, const toml::node& node) {
        const bool known = std::ranges::any_of(schema_.sections, [&](const Section& section) {
            return section.name == name || section.name.starts_with(name + '.');
        });
        if (!known) {
            std::string names;
            for (const Section& section : schema_.sections) {
                names += fmt::format("{}[{}]", names.empty() ? "" : ", ", section.name);
            }
            return refuse(node, fmt::format("there is no section [{}]", name), "sections: " + names);
        }
        return read_table(name, *node.as_table());
    }

    Result<> read_key(const std::string& section, const std::string& name, std::string_view key,
                      const toml::node& node) {
        const auto parameter = std::ranges::find_if(schema_.parameters, [&](const Parameter<C>& candidate) {
            return candidate.section == section && candidate.key == key;
        });
        if (parameter == std::end(schema_.parameters)) {
            std::string keys;
            for (const Parameter<C>& candidate : schema_.parameters) {
                if (candidate.section == section) {
                    keys += fmt::format("{}{}", keys.empty() ? "" : ", ", candidate.key);
                }
            }
            return refuse(node, fmt::format("there is no key {}", name),
                          keys.empty()
                              ? fmt::format("keys stand in sections; see {} --help-config", schema_.program)
                              : fmt::format("keys of [{}]: {}", section, keys));
        }
        if (!std::visit([&](const auto& kind) { return take(kind, node); }, parameter->kind)) {
            return refuse(node, fmt::format("{} = {} is not allowed", name, spell(node)),
                          "give " + allowed(*parameter));
        }
        return {};
    }

    static std::string spell(const toml::node& node) {
        std::ostringstream out;
        node.visit([&](const auto& value) { out << value; });
        constexpr std::size_t longest = 80;
        std::string text = out.str();
        return text.size() <= longest ? text : text.substr(0, longest) + "...";
    }

    bool take(const Integer<C>& kind, const toml::node& node) {
        const auto* value = node.as_integer();
        if (value == nullptr || value->get() < kind.low || value->get() > kind.high ||
            (kind.power_of_two && !std::has_single_bit(static_cast<std::uint64_t>(value->get())))) {
            return false;
        }
        kind.write(config_, value->get());
        return true;
    }

    bool take(const Choice<C>& kind, const toml::node& node) {
        const auto* value = node.as_string();
        if (value == nullptr) {
            return false;
        }
        const auto word = std::ranges::find(kind.words, value->get());
        if (word == kind.words.end()) {
            return false;
        }
        kind.write(config_, static_cast<std::size_t>(word - kind.words.begin()));
        return true;
    }

    bool take(const Text<C>& kind, const toml::node& node) {
        const auto* value = node.as_string();
        if (value == nullptr || !kind.fits(value->get())) {
            return false;
        }
        kind.write(config_, value->get());
        return true;
    }

    bool take(const TextList<C>& kind, const toml::node& node) {
        std::vector<std::string> list;
        const bool fits = each_string(node, [&](const std::string& element) {
            list.push_back(element);
            return kind.fits(element);
        });
        if (fits) {
            kind.write(config_, std::move(list));
        }
        return fits;
    }

    bool take(const NetworkList<C>& kind, const toml::node& node) {
        std::vector<Cidr> list;
        const bool fits = each_string(node, [&](const std::string& element) {
            auto network = Cidr::parse(element);
            if (network) {
                list.push_back(*network);
            }
            return network.has_value();
        });
        if (fits) {
            kind.write(config_, std::move(list));
        }
        return fits;
    }

    template<typename Visit>
    static bool each_string(const toml::node& node, Visit visit) {
        const auto* array = node.as_array();
        return array != nullptr && std::ranges::all_of(*array, [&](const toml::node& element) {
                   const auto* value = element.as_string();
                   return value != nullptr && visit(value->get());
               });
    }

    const Schema<C>& schema_;
    const std::string& file_;
    C config_;
};

template<typename C>
Result<C> read_text(const Schema<C>& schema, std::string_view toml, const std::string& file) {
    try {
        return Reader<C>(schema, file).read(toml::parse(toml, file));
    } catch (const toml::parse_error& error) { // toml++ reports broken syntax in no other way
        return fail(fmt::format("read configuration {}:{}", file, error.source().begin.line),
                    std::string(error.description()),
                    fmt::format("it must be TOML; see {} --help-config", schema.program));
    }
}

template<typename C>
Result<C> read_file(const Schema<C>& schema, const std::filesystem::path& file) {
    std::ifstream in(file);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) {
        return fail_errno("read configuration " + file.string(), errno, "give another file with --config");
    }
    return read_text(schema, text.str(), file.string());
}

} // namespace stem::settings
