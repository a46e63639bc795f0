// SPDX-License-Identifier: Apache-2.0
#include <stem/module.h>

#include <algorithm>
#include <array>

namespace stem {
namespace {

constexpr auto table = std::to_array<ModuleInfo>({
#define STEM_MODULE_ROW(name, bit, initial, label, help, without)                                            \
    {STEM_MODULE_##name, bit, (initial) != 0, label, help, without},
    STEM_MODULES(STEM_MODULE_ROW)
#undef STEM_MODULE_ROW
});

constexpr bool bits_rise_and_fit() {
    for (std::size_t i = 0; i < table.size(); i++) {
        if (table[i].bit >= STEM_MODULE_SLOTS || (i > 0 && table[i].bit <= table[i - 1].bit)) {
            return false;
        }
    }
    return true;
}
static_assert(bits_rise_and_fit(), "module bits must rise, be unique and have room");

} // namespace

std::span<const ModuleInfo> modules() {
    return table;
}

const ModuleInfo* find_module(std::string_view label) {
    const auto* found = std::ranges::find(table, label, &ModuleInfo::label);
    return found == table.end() ? nullptr : found;
}

} // namespace stem
