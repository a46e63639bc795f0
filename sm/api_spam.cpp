// SPDX-License-Identifier: Apache-2.0
#include "sm/api_request.h"
#include "sm/failure.h"
#include "sm/field_reader.h"
#include "sm/json.h"
#include "sm/spam_file.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <fmt/format.h>

namespace stem::sm {
namespace {

namespace json = boost::json;

// A file as it is: its faults are told by name and line.
ApiReply import_spam(ApiRequest& request) {
    FieldReader fields(request.body, "spam list", {"file", "text", "user", "deny_seconds"});
    const std::string file = fields.text("file").value_or("the list");
    const std::string text = fields.required_text("text");
    const std::string user = fields.text("user").value_or("");
    const std::int64_t deny_seconds = fields.integer("deny_seconds", 0, max_deny_seconds).value_or(0);
    if (fields.fault()) {
        return failed(*fields.fault());
    }
    auto read = read_spam_file(file, text, deny_seconds);
    if (!read) {
        return failed(read.error());
    }
    std::vector<std::size_t> lines;
    std::vector<SpamEntry> entries;
    for (SpamLine& line : *read) {
        lines.push_back(line.number);
        entries.push_back(std::move(line.entry));
    }
    const std::size_t count = entries.size();
    const auto added = request.directory.add_spam(user, std::move(entries));
    if (!added) {
        Error error = added.error().error;
        if (added.error().place < lines.size()) {
            error.attempt = fmt::format("{}:{}: {}", file, lines[added.error().place], error.attempt);
        }
        return failed(error);
    }
    return {.status = 200,
            .json = json::object{{"file", file},
                                 {"user", user.empty() ? json::value() : json::value(user)},
                                 {"added", *added},
                                 {"present", count - *added}}};
}

} // namespace

ApiReply handle_spam(ApiRequest& request) {
    if (request.path.size() == 2) {
        auto refused = request.refuse_query({});
        return refused ? std::move(*refused) : import_spam(request);
    }
    if (request.method == "POST") {
        if (auto refused = request.refuse_query({})) {
            return std::move(*refused);
        }
        const auto entry = spam_from(request.body);
        if (!entry) {
            return failed(entry.error());
        }
        const auto added = request.directory.add_spam(*entry);
        return added ? ApiReply{.status = 201, .json = to_json(*entry)} : failed(added.error());
    }
    if (request.method == "GET") {
        if (auto refused = request.refuse_query({"user"})) {
            return std::move(*refused);
        }
        const bool of_one = request.query.contains("user");
        const std::string user = request.query_or("user", {});
        if (of_one && !user.empty() && request.directory.find_user(user) == nullptr) {
            return failed(Error{"list spam callers", fmt::format("no user '{}'", user),
                                "list the users to see their names", ENOENT});
        }
        json::array list;
        for (const SpamEntry& entry : request.directory.spam(of_one ? std::optional(user) : std::nullopt)) {
            list.push_back(to_json(entry));
        }
        return {.status = 200, .json = json::object{{"spam", std::move(list)}}};
    }
    if (request.method == "DELETE") {
        if (auto refused = request.refuse_query({"caller", "user"})) {
            return std::move(*refused);
        }
        const auto caller = Pattern::parse(request.query_or("caller", {}));
        return caller ? no_content(request.directory.remove_spam(*caller, request.query_or("user", {})))
                      : failed(caller.error());
    }
    return wrong_method(request, "GET, POST, DELETE");
}

} // namespace stem::sm
