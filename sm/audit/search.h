// SPDX-License-Identifier: Apache-2.0
// Reads the audit trail back: the records that a filter lets through, a page at a time. A page costs no more
// than a few megabytes of reading, however long the trail is, since whoever reads also decides of calls.
#pragma once

#include "sm/audit/trail.h"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <vector>

namespace stem::sm::audit {

struct Filter {
    std::optional<std::chrono::system_clock::time_point> since;
    std::optional<std::chrono::system_clock::time_point> until; // that moment not
    std::string kind;
    std::string
        action; // "reject", "drop", "POST", "stale"; its first word will do: "drop" is "drop spam", too
    std::string user;
    std::string who; // a part of it will do, as of the next two, in any case of letters
    std::string caller;
    std::string callee;
    std::string call_id;

    [[nodiscard]] bool matches(const boost::json::object& record) const;
};

enum class Order : std::uint8_t { newest_first, oldest_first };

struct Page {
    std::vector<boost::json::object> records;
    std::string next; // where the next page begins; "" = there is none
};

inline constexpr std::size_t most_records = 1000; // on a page

// `from`: Page::next, "" for the first page. Fails on one that cannot be read. A file that was turned over
// and removed between two pages ends the search.
Result<Page> search(const Trail& trail, const Filter& filter, Order order, std::string_view from,
                    std::size_t limit);

} // namespace stem::sm::audit
