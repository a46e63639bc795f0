// SPDX-License-Identifier: Apache-2.0
#include "sm/audit/search.h"

#include "sm/audit/lines.h"
#include "sm/failure.h"
#include "sm/uri.h"

#include <boost/json/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ranges>

namespace stem::sm::audit {
namespace {

namespace json = boost::json;

constexpr std::uint64_t budget = 4U << 20U; // octets read for one page

std::string_view member(const json::object& record, std::string_view name) {
    const auto* value = record.if_contains(name);
    const auto* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

bool is_part(const json::object& record, std::string_view name, const std::string& wanted) {
    return wanted.empty() || to_lower(member(record, name)).find(to_lower(wanted)) != std::string::npos;
}

bool is_same(const json::object& record, std::string_view name, const std::string& wanted) {
    return wanted.empty() || member(record, name) == wanted;
}

// A place in the trail: a file, by its first record's number, and an offset.
struct Place {
    std::uint64_t file = 0;
    std::uint64_t offset = 0;
};

Result<Place> place_from(std::string_view text) {
    const auto read = [](std::string_view digits) {
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        return error == std::errc() && end == digits.data() + digits.size() ? std::optional(number)
                                                                            : std::nullopt;
    };
    const auto dot = text.find('.');
    const auto file = read(text.substr(0, dot));
    const auto offset = dot == std::string_view::npos ? std::nullopt : read(text.substr(dot + 1));
    if (!file || !offset) {
        return invalid(fmt::format("read place '{}' of the audit trail", text.substr(0, 80)), "not a place",
                       "send the member next of the page before");
    }
    return Place{.file = *file, .offset = *offset};
}

struct Source {
    std::uint64_t first = 0;
    Lines lines;
};

// In the order of reading. Files without a record are left out.
std::vector<Source> sources(const Trail& trail, Order order) {
    std::vector<Source> list;
    for (const auto& path : trail.files()) {
        auto lines = Lines::open(path);
        const auto first = lines ? lines->first_number() : std::nullopt;
        if (first) {
            list.push_back({*first, std::move(*lines)});
        }
    }
    if (order == Order::oldest_first) {
        std::ranges::reverse(list);
    }
    return list;
}

class Search {
  public:
    Search(const Filter& filter, Order order, std::size_t limit)
        : filter_(filter), order_(order), limit_(limit),
          since_(filter.since ? precise_timestamp(*filter.since) : ""),
          until_(filter.until ? precise_timestamp(*filter.until) : "") {}

    // Reads on from `offset`. True: the page is full, or nothing that comes later can match.
    bool read(const Source& source, std::uint64_t offset) {
        const bool back = order_ == Order::newest_first;
        while (!over_ && (back ? offset > 0 : offset < source.lines.size())) {
            if (spent_ >= budget) {
                return stop_at(source, offset);
            }
            const auto block = back ? source.lines.before(offset) : source.lines.after(offset);
            spent_ += block.end - block.begin;
            const bool full = back ? take(source, block, std::views::reverse(block.lines))
                                   : take(source, block, block.lines);
            if (full) {
                return true;
            }
            offset = back ? block.begin : block.end;
        }
        return over_;
    }

    Page page;

  private:
    template<typename Range>
    bool take(const Source& source, const Lines::Block& block, const Range& lines) {
        for (const std::string_view line : lines) {
            if (page.records.size() == limit_) {
                const auto begin = block.begin + static_cast<std::uint64_t>(line.data() - block.text->data());
                return stop_at(source, order_ == Order::newest_first ? begin + line.size() + 1 : begin);
            }
            consider(line);
            if (over_) {
                return true;
            }
        }
        return false;
    }

    void consider(std::string_view line) {
        json::error_code error;
        auto value = json::parse(json::string_view(line.data(), line.size()), error);
        auto* record = error ? nullptr : value.if_object();
        if (record == nullptr) {
            return; // someone has edited the file
        }
        const std::string_view time = member(*record, "time");
        if (order_ == Order::newest_first ? !since_.empty() && time < since_
                                          : !until_.empty() && time >= until_) {
            over_ = late_++ > out_of_order;
            return;
        }
        if (filter_.matches(*record)) {
            page.records.push_back(std::move(*record));
        }
    }

    bool stop_at(const Source& source, std::uint64_t offset) {
        page.next = fmt::format("{}.{}", source.first, offset);
        return true;
    }

    // Records of firewalls bear the time at which things happened there: they may be out of order by a
    // little.
    static constexpr unsigned out_of_order = 64;

    const Filter& filter_;
    Order order_;
    std::size_t limit_;
    std::string since_;
    std::string until_;
    std::uint64_t spent_ = 0;
    unsigned late_ = 0;
    bool over_ = false;
};

} // namespace

bool Filter::matches(const json::object& record) const {
    const std::string_view time = member(record, "time");
    const std::string_view done = member(record, "action");
    const bool in_time =
        (!since || time >= precise_timestamp(*since)) && (!until || time < precise_timestamp(*until));
    const bool acted = action.empty() || done == action || done.starts_with(action + ' ');
    return in_time && acted && is_same(record, "kind", kind) && is_same(record, "user", user) &&
           is_same(record, "call_id", call_id) && is_part(record, "who", who) &&
           is_part(record, "caller", caller) && is_part(record, "callee", callee);
}

Result<Page> search(const Trail& trail, const Filter& filter, Order order, std::string_view from,
                    std::size_t limit) {
    std::optional<Place> begin;
    if (!from.empty()) {
        const auto place = place_from(from);
        if (!place) {
            return std::unexpected(place.error());
        }
        begin = *place;
    }
    Search search(filter, order, limit);
    for (const Source& source : sources(trail, order)) {
        std::uint64_t offset = order == Order::newest_first ? source.lines.size() : 0;
        if (begin) {
            if (source.first != begin->file) {
                continue;
            }
            offset = std::min(begin->offset, source.lines.size());
            begin.reset();
        }
        if (search.read(source, offset)) {
            break;
        }
    }
    return std::move(search.page);
}

} // namespace stem::sm::audit
