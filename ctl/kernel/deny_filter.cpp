// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/deny_filter.h"

#include <algorithm>
#include <atomic>

namespace stem::kernel {
namespace {

void set_bit(__u64* words, std::uint32_t bit) noexcept {
    words[bit / 64] |= __u64{1} << (bit % 64);
}

template<typename Apply>
void each_word(stem_deny_filter& live, const stem_deny_filter& other, Apply apply) noexcept {
    for (std::size_t i = 0; i < STEM_DENY_FILTER_WORDS; i++) {
        apply(std::atomic_ref(live.exact[i]), other.exact[i]);
        apply(std::atomic_ref(live.cidr[i]), other.cidr[i]);
    }
}

} // namespace

// An address is hashed by 16 bits of it: the first, or those after the first 96 where the first 64 are zero
// (as in a mapped IPv4 address). A network that leaves some of these bits open needs a bit for each of them.
FilterRange filter_bits_of(const Cidr& network) noexcept {
    const auto& octets = network.network().octets();
    const unsigned length = network.mapped_length();
    const bool zero_head =
        std::all_of(octets.begin(), octets.begin() + 8, [](auto octet) { return octet == 0; });
    if (zero_head && length < 64) { // some of its addresses are hashed in one way, some in the other
        return {.first = 0, .count = STEM_DENY_FILTER_BITS};
    }
    const std::size_t at = zero_head ? 12 : 0;
    const unsigned before = static_cast<unsigned>(at) * 8;
    const unsigned fixed = length <= before ? 0 : std::min(length - before, 16U);
    return {.first = static_cast<std::uint32_t>(octets[at] << 8 | octets[at + 1]),
            .count = 1U << (16 - fixed)};
}

void set_exact(stem_deny_filter& filter, const Address& source) noexcept {
    const stem_addr raw = source.raw();
    set_bit(filter.exact, stem_deny_filter_exact(&raw));
}

void set_cidr(stem_deny_filter& filter, const Cidr& network) noexcept {
    const auto range = filter_bits_of(network);
    for (std::uint32_t bit = range.first; bit < range.first + range.count; bit++) {
        set_bit(filter.cidr, bit);
    }
}

void merge(stem_deny_filter& live, const stem_deny_filter& more) noexcept {
    each_word(live, more, [](auto word, __u64 bits) {
        if (bits != 0) {
            word.fetch_or(bits);
        }
    });
}

void replace(stem_deny_filter& live, const stem_deny_filter& with) noexcept {
    each_word(live, with, [](auto word, __u64 bits) { word.store(bits); });
}

} // namespace stem::kernel
