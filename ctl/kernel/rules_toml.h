// SPDX-License-Identifier: Apache-2.0
// Typed values out of a rules file, and errors that name file, line and key.
#pragma once

#include <stem/error.h>

#include <toml++/toml.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace stem::kernel {

class RulesToml {
  public:
    explicit RulesToml(std::string_view file) : file_(file) {}

    [[nodiscard]] std::unexpected<Error> wrong(const toml::source_region& at, const std::string& key,
                                               std::string cause, std::string remedy = {}) const;
    // Refuses keys that are not in `known`: a misspelt condition would make a rule wider than meant.
    [[nodiscard]] Result<> only(const toml::table& table, const std::string& within,
                                std::initializer_list<std::string_view> known) const;

    // Each: nothing if the key is not there.
    [[nodiscard]] Result<std::optional<std::string>> text(const toml::table& table, const char* key) const;
    [[nodiscard]] Result<std::optional<std::int64_t>> number(const toml::table& table, const char* key,
                                                             std::int64_t low, std::int64_t high) const;
    [[nodiscard]] Result<std::optional<bool>> flag(const toml::table& table, const char* key) const;
    // A number is given as its text.
    [[nodiscard]] Result<std::optional<std::string>> text_or_number(const toml::table& table,
                                                                    const char* key) const;

    [[nodiscard]] const std::string& file() const noexcept { return file_; }

  private:
    std::string file_;
};

} // namespace stem::kernel
