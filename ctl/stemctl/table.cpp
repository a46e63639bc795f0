// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/table.h"

#include <algorithm>

namespace stem::stemctl {

std::size_t width_of(std::string_view text) noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80; }));
}

std::string Table::to_string() const {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns_.size(); i++) {
        std::size_t width = width_of(columns_[i].name);
        for (const auto& row : rows_) {
            width = std::max(width, width_of(row[i]));
        }
        widths.push_back(width);
    }
    std::string text;
    const auto add_line = [&](const auto& cell_of) {
        std::string line;
        for (std::size_t i = 0; i < columns_.size(); i++) {
            const std::string& cell = cell_of(i);
            const std::string padding(widths[i] - width_of(cell), ' ');
            line += i > 0 ? "  " : "";
            line += columns_[i].align == Align::right ? padding + cell : cell + padding;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    };
    add_line([&](std::size_t i) -> const std::string& { return columns_[i].name; });
    for (const auto& row : rows_) {
        add_line([&](std::size_t i) -> const std::string& { return row[i]; });
    }
    return text;
}

} // namespace stem::stemctl
