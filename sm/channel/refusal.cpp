// SPDX-License-Identifier: Apache-2.0
#include "sm/channel/refusal.h"

namespace stem::channel {
namespace {

struct Row {
    std::string_view label;
    bool closes;
    std::string_view help;
};

constexpr std::array<Row, refusal_count> rows{{
#define STEM_REFUSAL(name, label, closes, help) {label, closes, help},
    STEM_REFUSALS(STEM_REFUSAL)
#undef STEM_REFUSAL
}};

} // namespace

std::string_view label_of(Refusal refusal) {
    return rows[static_cast<std::size_t>(refusal)].label;
}

std::string_view help_of(Refusal refusal) {
    return rows[static_cast<std::size_t>(refusal)].help;
}

bool closes(Refusal refusal) {
    return rows[static_cast<std::size_t>(refusal)].closes;
}

} // namespace stem::channel
