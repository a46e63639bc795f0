// SPDX-License-Identifier: Apache-2.0
#include "sm/api_request.h"
#include "sm/audit/search.h"
#include "sm/failure.h"
#include "sm/json.h"
#include "sm/timestamp.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <fmt/format.h>

#include <charconv>

namespace stem::sm {
namespace {

namespace json = boost::json;

constexpr std::size_t default_records = 100;

Result<std::optional<TimePoint>> time_of(const ApiRequest& request, const std::string& name) {
    if (!request.query.contains(name)) {
        return std::nullopt;
    }
    const auto at = parse_timestamp(request.query_or(name, {}));
    return at ? Result<std::optional<TimePoint>>(*at) : std::unexpected(at.error());
}

Result<audit::Filter> filter_of(const ApiRequest& request) {
    const auto since = time_of(request, "since");
    const auto until = time_of(request, "until");
    if (!since || !until) {
        return std::unexpected(since ? until.error() : since.error());
    }
    audit::Filter filter{.since = *since,
                         .until = *until,
                         .kind = request.query_or("kind", {}),
                         .action = request.query_or("action", {}),
                         .user = request.query_or("user", {}),
                         .who = request.query_or("who", {}),
                         .caller = request.query_or("caller", {}),
                         .callee = request.query_or("callee", {}),
                         .call_id = request.query_or("call_id", {})};
    if (!filter.kind.empty() && !audit::is_kind(filter.kind)) {
        return invalid(fmt::format("read kind '{}'", filter.kind.substr(0, 80)), "no kind of record",
                       "the kinds are " + audit::kind_labels());
    }
    return filter;
}

Result<std::size_t> limit_of(const ApiRequest& request) {
    const std::string text = request.query_or("limit", std::to_string(default_records));
    std::size_t limit = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc() || end != text.data() + text.size() || limit < 1 ||
        limit > audit::most_records) {
        return invalid(fmt::format("read limit '{}'", text.substr(0, 80)), "not a number of records",
                       fmt::format("write 1 to {}", audit::most_records));
    }
    return limit;
}

} // namespace

ApiReply handle_audit(ApiRequest& request) {
    if (auto refused = request.refuse_query({"since", "until", "kind", "action", "user", "who", "caller",
                                             "callee", "call_id", "limit", "order", "from"})) {
        return std::move(*refused);
    }
    const auto* trail = request.admission.trail();
    if (trail == nullptr) {
        return failed(Error{"read the audit trail", "none is kept here", "", ENOENT});
    }
    const auto filter = filter_of(request);
    const auto limit = limit_of(request);
    const std::string order = request.query_or("order", "newest");
    if (!filter || !limit) {
        return failed(filter ? limit.error() : filter.error());
    }
    if (order != "newest" && order != "oldest") {
        return failed(Error{fmt::format("read order '{}'", order.substr(0, 80)), "not an order",
                            "write newest or oldest: which comes first", EINVAL});
    }
    auto page = audit::search(*trail, *filter,
                              order == "newest" ? audit::Order::newest_first : audit::Order::oldest_first,
                              request.query_or("from", {}), *limit);
    if (!page) {
        return failed(page.error());
    }
    json::array records;
    for (json::object& record : page->records) {
        records.emplace_back(std::move(record));
    }
    const auto& counts = trail->counts();
    return {.status = 200,
            .json = json::object{
                {"records", std::move(records)},
                {"next", page->next.empty() ? json::value() : json::value(page->next)},
                {"lost", counts.lost},
                {"failure", trail->failure().empty() ? json::value() : json::value(trail->failure())}}};
}

} // namespace stem::sm
