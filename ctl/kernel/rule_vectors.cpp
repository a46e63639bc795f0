// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/rule_vectors.h"

#include <cstring>
#include <vector>

namespace stem::kernel {
namespace {

std::unexpected<Error> full(const char* what, std::size_t room) {
    return fail("compile the rules", std::string("they need more than ") + std::to_string(room) + " " + what,
                "let fewer networks and port ranges overlap each other, or split the set");
}

void summarise(__u64 (&summary)[2], std::size_t word) noexcept {
    summary[word / 64] |= std::uint64_t{1} << (word % 64);
}

} // namespace

std::string_view RuleSetBits::bytes() const noexcept {
    return {reinterpret_cast<const char*>(words_.data()), sizeof(words_)};
}

RuleSetBits& RuleSetBits::operator|=(const RuleSetBits& other) noexcept {
    for (std::size_t i = 0; i < words_.size(); i++) {
        words_[i] |= other.words_[i];
    }
    return *this;
}

std::optional<std::uint16_t> RuleVectors::add_common(const RuleSetBits& bits) {
    const std::string key(bits.bytes());
    if (const auto known = commons_.find(key); known != commons_.end()) {
        return known->second;
    }
    if (common_used_ == STEM_COMMON_MAX) {
        return std::nullopt;
    }
    const auto index = static_cast<std::uint16_t>(common_used_++);
    std::memcpy(out_->common[index], key.data(), key.size());
    commons_.emplace(key, index);
    return index;
}

// The summary of the class's own part goes in front of its words; equal parts are stored once.
Result<> RuleVectors::pack(stem_class& one, const RuleSetBits& own) {
    std::vector<std::uint64_t> words(2);
    std::size_t last = 0;
    for (std::size_t i = 0; i < STEM_RULE_WORDS; i++) {
        if (own.word(i) != 0) {
            words[i / 64] |= std::uint64_t{1} << (i % 64);
            words.push_back(own.word(i));
            last = i;
        }
    }
    one.summary[0] |= words[0];
    one.summary[1] |= words[1];
    if (words.size() == 2) {
        one.own = STEM_OWN_NONE;
        return {};
    }
    if (words.size() == 3) {
        one.own = STEM_OWN_WORD;
        one.own_word = words[2];
        one.own_at = static_cast<std::uint32_t>(last);
        return {};
    }
    one.own = STEM_OWN_PACKED;
    const std::string key(reinterpret_cast<const char*>(words.data()), words.size() * sizeof(words[0]));
    if (const auto known = packed_.find(key); known != packed_.end()) {
        one.own_at = known->second;
        return {};
    }
    if (words_used_ + words.size() > STEM_OWN_WORDS_MAX) {
        return full("words of bit vectors", STEM_OWN_WORDS_MAX);
    }
    std::memcpy(&out_->own_words[words_used_], key.data(), key.size());
    one.own_at = words_used_;
    packed_.emplace(key, words_used_);
    words_used_ += static_cast<std::uint32_t>(words.size());
    return {};
}

Result<std::uint16_t> RuleVectors::add_class(std::uint16_t common, const RuleSetBits& own) {
    stem_class one{};
    one.common = common;
    for (std::size_t i = 0; i < STEM_RULE_WORDS; i++) {
        if (out_->common[common][i] != 0) {
            summarise(one.summary, i);
        }
    }
    if (auto packed = pack(one, own); !packed) {
        return std::unexpected(packed.error());
    }
    const std::string key(reinterpret_cast<const char*>(&one), sizeof(one));
    if (const auto known = classes_.find(key); known != classes_.end()) {
        return known->second;
    }
    if (classes_used_ == STEM_CLASSES_MAX) {
        return full("different sets of rules for the values of a field", STEM_CLASSES_MAX);
    }
    const auto index = static_cast<std::uint16_t>(classes_used_++);
    out_->classes[index] = one;
    classes_.emplace(key, index);
    return index;
}

void RuleVectors::finish() const noexcept {
    out_->classes_used = classes_used_;
    out_->common_used = common_used_;
    out_->own_words_used = words_used_;
}

} // namespace stem::kernel
