// SPDX-License-Identifier: Apache-2.0
// Where the bit vectors of a generation go: each only once, in the pools of stem/abi/ruleset.h.
#pragma once

#include <stem/abi/ruleset.h>
#include <stem/error.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace stem::kernel {

// Bit n: rule n.
class RuleSetBits {
  public:
    void set(std::size_t rule) noexcept { words_[rule / 64] |= std::uint64_t{1} << (rule % 64); }
    void clear(std::size_t rule) noexcept { words_[rule / 64] &= ~(std::uint64_t{1} << (rule % 64)); }
    [[nodiscard]] std::uint64_t word(std::size_t index) const noexcept { return words_[index]; }
    [[nodiscard]] std::string_view bytes() const noexcept;
    RuleSetBits& operator|=(const RuleSetBits& other) noexcept;

  private:
    std::array<std::uint64_t, STEM_RULE_WORDS> words_{};
};

class RuleVectors {
  public:
    explicit RuleVectors(stem_ruleset& out) noexcept : out_(&out) {}

    // A common vector; nothing when there is no room for another one.
    std::optional<std::uint16_t> add_common(const RuleSetBits& bits);
    // The class of `common` and `own`. Fails when a pool is full, and says which.
    Result<std::uint16_t> add_class(std::uint16_t common, const RuleSetBits& own);
    // Writes how much of the pools is used.
    void finish() const noexcept;

  private:
    Result<> pack(stem_class& one, const RuleSetBits& own);

    stem_ruleset* out_;
    std::uint32_t common_used_ = 0;
    std::uint32_t classes_used_ = 0;
    std::uint32_t words_used_ = 0;
    std::unordered_map<std::string, std::uint16_t> commons_;
    std::unordered_map<std::string, std::uint32_t> packed_;
    std::unordered_map<std::string, std::uint16_t> classes_;
};

} // namespace stem::kernel
