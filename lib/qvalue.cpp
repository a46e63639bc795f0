// SPDX-License-Identifier: Apache-2.0
#include <stem/qvalue.h>

#include <algorithm>

namespace stem {

std::optional<QValue> QValue::parse(std::string_view text) noexcept {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1') ||
        (text.size() > 1 && text[1] != '.')) {
        return std::nullopt;
    }
    const std::string_view digits = text.size() > 2 ? text.substr(2) : std::string_view();
    if (!std::ranges::all_of(digits, is_digit)) {
        return std::nullopt;
    }
    std::int64_t thousandths = text[0] - '0';
    for (std::size_t at = 0; at < 3; ++at) {
        thousandths = thousandths * 10 + (at < digits.size() ? digits[at] - '0' : 0);
    }
    return from_thousandths(thousandths);
}

std::string QValue::to_string() const {
    if (thousandths_ == most) {
        return "1";
    }
    if (thousandths_ == 0) {
        return "0";
    }
    std::string digits = std::to_string(most + thousandths_).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    return "0." + digits;
}

} // namespace stem
