// SPDX-License-Identifier: Apache-2.0
// Aligned columns for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stem::stemctl {

enum class Align { left, right };

class Table {
  public:
    struct Column {
        std::string name;
        Align align = Align::left;
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    // As many cells as there are columns.
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
    // A heading and a line for each row, two blanks between columns, none at the ends of lines.
    [[nodiscard]] std::string to_string() const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

// Columns that a text takes on the screen, for what stemctl prints: UTF-8, no wide or combining characters.
std::size_t width_of(std::string_view text) noexcept;

} // namespace stem::stemctl
