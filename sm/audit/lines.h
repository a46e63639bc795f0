// SPDX-License-Identifier: Apache-2.0
// Lines of an audit file, read in blocks from either end: a search holds one block in memory.
#pragma once

#include <stem/error.h>
#include <stem/unique_fd.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::sm::audit {

inline constexpr std::size_t block_length = 256U * 1024U; // more than the longest line

class Lines {
  public:
    static Result<Lines> open(const std::filesystem::path& file);

    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    // The number of its first record, by which a file is known however it is called by now. nullopt: it has
    // none.
    [[nodiscard]] std::optional<std::uint64_t> first_number() const;

    struct Block {
        std::unique_ptr<const std::string> text; // stays where it is when the block moves
        std::vector<std::string_view> lines;     // whole ones of it, oldest first
        std::uint64_t begin = 0;                 // where they begin and end in the file
        std::uint64_t end = 0;
    };
    // Whole lines that end at or before `end`, which is the end of a line; none at the file's beginning.
    [[nodiscard]] Block before(std::uint64_t end) const;
    // Whole lines from `begin` on, which is the beginning of one; none at the file's end.
    [[nodiscard]] Block after(std::uint64_t begin) const;

  private:
    Lines(UniqueFd fd, std::uint64_t size) : fd_(std::move(fd)), size_(size) {}
    [[nodiscard]] std::string read(std::uint64_t offset, std::size_t length) const;

    UniqueFd fd_;
    std::uint64_t size_;
};

// {"seq":17,...
std::optional<std::uint64_t> number_of(std::string_view line);
std::optional<std::uint64_t> last_number_of(const std::filesystem::path& file);

} // namespace stem::sm::audit
