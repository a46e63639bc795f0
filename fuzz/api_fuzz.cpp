// SPDX-License-Identifier: Apache-2.0
// Whatever is asked of the Security Manager's API: no fault; an answer of a status that docs/api-sm.md knows;
// a refusal that says what was tried and why; and what a POST has made, GET shows.
//
// Input: "METHOD TARGET", a line feed, a body. More requests may follow behind a line of "--": they meet what
// those before have made.
#include "sm/api.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace stem;
namespace json = boost::json;

constexpr std::array statuses = {200, 201, 204, 400, 404, 405, 409, 413};

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

std::unique_ptr<sm::Directory> some_directory() {
    sm::Store::Contents contents;
    contents.profiles.push_back({"office", {}, {{.caller = {}, .when = {}, .then = {}}}});
    contents.users.push_back({"alice", "Alice", "office", {"sip:alice@example.org", "tel:+49301234"}});
    contents.spam.push_back({*sm::Pattern::parse("*@spam.example"), "", ""});
    contents.limits.push_back(
        {.name = "satellite", .user = {}, .prefix = "+881", .when = {}, .concurrent = {1, 2}});
    return sm::Directory::copy_of(std::move(contents));
}

sm::TimePoint now() {
    return sm::TimePoint(std::chrono::seconds(1763974800));
}

void ask(sm::Directory& directory, sm::Admission& admission, std::string_view request) {
    const auto line = request.substr(0, request.find('\n'));
    const auto body = request.substr(std::min(line.size() + 1, request.size()));
    const auto method = line.substr(0, line.find(' '));
    const auto target = line.substr(std::min(method.size() + 1, line.size()));
    const sm::ApiContext context{.directory = directory, .admission = admission, .now = now(), .who = "fuzz"};
    const auto reply = sm::handle(context, method, target, body);
    require(std::ranges::find(statuses, reply.status) != statuses.end());
    require((reply.status == 405) == !reply.allow.empty());
    require((reply.status == 204) == reply.json.is_null());
    // What goes out is JSON that reads back.
    json::error_code error;
    const auto again = json::parse(json::serialize(reply.json), error);
    require(!error || reply.json.is_null());
    if (reply.status >= 400) {
        const auto* fault = again.as_object().if_contains("error");
        require(fault != nullptr && !fault->at("attempt").as_string().empty() &&
                !fault->at("cause").as_string().empty());
    }
    if (reply.status == 201 && target == "/v1/limits") {
        const std::string name(reply.json.at("name").as_string());
        require(sm::handle(context, "GET", "/v1/limits/" + name, "").json == reply.json);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto directory = some_directory();
    sm::Admission admission(*directory, {}, nullptr, now);
    constexpr std::string_view separator = "\n--\n";
    while (!text.empty()) {
        const auto end = text.find(separator);
        ask(*directory, admission, text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + separator.size());
    }
    return 0;
}
