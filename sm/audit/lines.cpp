// SPDX-License-Identifier: Apache-2.0
#include "sm/audit/lines.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

namespace stem::sm::audit {
namespace {

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    return lines;
}

Lines::Block block_of(std::string text, std::uint64_t begin, std::uint64_t end) {
    Lines::Block block{.text = std::make_unique<const std::string>(std::move(text)),
                       .lines = {},
                       .begin = begin,
                       .end = end};
    block.lines = split(*block.text);
    return block;
}

} // namespace

std::optional<std::uint64_t> number_of(std::string_view line) {
    constexpr std::string_view prefix = "{\"seq\":";
    std::uint64_t number = 0;
    if (!line.starts_with(prefix)) {
        return std::nullopt;
    }
    line.remove_prefix(prefix.size());
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    return error == std::errc() && end != line.data() + line.size() && *end == ',' ? std::optional(number)
                                                                                   : std::nullopt;
}

Result<Lines> Lines::open(const std::filesystem::path& file) {
    const std::string attempt = "read audit file " + file.string();
    UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat about{};
    if (!fd || ::fstat(fd.get(), &about) != 0) {
        return fail_errno(attempt);
    }
    return Lines(std::move(fd), static_cast<std::uint64_t>(about.st_size));
}

std::string Lines::read(std::uint64_t offset, std::size_t length) const {
    std::string text(length, '\0');
    std::size_t got = 0;
    while (got < length) {
        const ssize_t octets =
            ::pread(fd_.get(), text.data() + got, length - got, static_cast<off_t>(offset + got));
        if (octets <= 0) {
            break;
        }
        got += static_cast<std::size_t>(octets);
    }
    text.resize(got);
    return text;
}

std::optional<std::uint64_t> Lines::first_number() const {
    return number_of(read(0, 64));
}

Lines::Block Lines::before(std::uint64_t end) const {
    end = std::min(end, size_);
    const std::uint64_t begin = end > block_length ? end - block_length : 0;
    std::string text = read(begin, static_cast<std::size_t>(end - begin));
    std::size_t cut = 0;
    if (begin > 0) { // its first line began before
        const auto first = text.find('\n');
        cut = first == std::string::npos ? text.size() : first + 1;
    }
    // A torn last line, of a crash in the middle of a write, is passed over.
    const auto last = text.rfind('\n');
    text.resize(last == std::string::npos || last < cut ? cut : last + 1);
    // Of a line longer than any of ours nothing is given, but it is left behind.
    return block_of(text.substr(cut), text.size() == cut ? begin : begin + cut, end);
}

Lines::Block Lines::after(std::uint64_t begin) const {
    begin = std::min(begin, size_);
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(block_length, size_ - begin));
    std::string text = read(begin, length);
    const auto last = text.rfind('\n');
    text.resize(last == std::string::npos ? 0 : last + 1);
    const std::uint64_t end = text.empty() ? begin + length : begin + text.size();
    return block_of(std::move(text), begin, end);
}

std::optional<std::uint64_t> last_number_of(const std::filesystem::path& file) {
    const auto lines = Lines::open(file);
    if (!lines) {
        return std::nullopt;
    }
    for (std::uint64_t end = lines->size(); end > 0;) {
        const auto block = lines->before(end);
        for (auto line = block.lines.rbegin(); line != block.lines.rend(); ++line) {
            if (const auto number = number_of(*line)) {
                return number;
            }
        }
        end = block.begin;
    }
    return std::nullopt;
}

} // namespace stem::sm::audit
