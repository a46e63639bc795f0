// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/announcement_api.h"

#include "sm/api_request.h"
#include "sm/failure.h"
#include "sm/field_reader.h"
#include "sm/timestamp.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <fmt/format.h>

namespace stem::auth {
namespace {

namespace json = boost::json;

constexpr std::int64_t usual_lifetime = 30; // s

json::object to_json(const Announcement& announcement) {
    return {{"id", announcement.id},
            {"user", announcement.user},
            {"to", announcement.to},
            {"source", announcement.source.to_string()},
            {"expires_at", sm::to_timestamp(announcement.expires)},
            {"used", !announcement.call_id.empty()}};
}

sm::ApiReply wrong_method(const AnnouncementRequest& request, std::string allow) {
    auto reply = sm::failed(Error{fmt::format("{} {}", request.method, announcements_path), "not possible",
                                  "possible: " + allow});
    reply.status = 405;
    reply.allow = std::move(allow);
    return reply;
}

Result<std::string> user_of(const sm::Directory& directory, const AnnouncementRequest& request,
                            const std::optional<std::string>& named) {
    if (!request.user.empty() && named && *named != request.user) {
        return sm::invalid("announce a call", "for another user than the certificate's",
                           "leave \"user\" away");
    }
    std::string user = request.user.empty() ? named.value_or("") : request.user;
    if (directory.find_user(user) == nullptr) {
        return sm::not_found(
            "announce a call", fmt::format("no user '{}'", user.substr(0, 80)),
            "a terminal's certificate bears the name of its user; list the users to see them");
    }
    return user;
}

sm::ApiReply announce(const sm::Directory& directory, Announcements& announcements,
                      const AnnouncementRequest& request, sm::TimePoint now) {
    json::error_code error;
    const json::value body = json::parse({request.body.data(), request.body.size()}, error);
    if (error) {
        return sm::failed(Error{"read an announcement", "not JSON: " + error.message(),
                                R"(send {"to": "sip:bob@example.org"})", EINVAL});
    }
    sm::FieldReader fields(body, "announcement", {"user", "to", "lifetime", "source"});
    const auto named = fields.text("user");
    const std::string to = fields.required_text("to");
    const auto lifetime =
        fields.integer("lifetime", 1, Announcements::longest_lifetime.count()).value_or(usual_lifetime);
    auto source = request.source;
    if (const auto text = fields.text("source")) {
        const auto address = Address::parse(*text);
        if (address) {
            source = *address;
        } else {
            fields.blame("source", address.error());
        }
    }
    if (fields.fault()) {
        return sm::failed(*fields.fault());
    }
    const auto user = user_of(directory, request, named);
    if (!user) {
        return sm::failed(user.error());
    }
    if (!source) {
        return sm::failed(Error{"announce a call", "it is not known where the call will come from",
                                R"(send "source": the address of the phone)", EINVAL});
    }
    const auto made = announcements.add(*user, to, *source, std::chrono::seconds(lifetime), now);
    return made ? sm::ApiReply{.status = 201, .json = to_json(*made)} : sm::failed(made.error());
}

} // namespace

bool serves_announcements(std::string_view target) {
    const auto path = target.substr(0, target.find('?'));
    return path == announcements_path ||
           (path.starts_with(announcements_path) && path[announcements_path.size()] == '/');
}

sm::ApiReply handle_announcements(const sm::Directory& directory, Announcements& announcements,
                                  const AnnouncementRequest& request, sm::TimePoint now) {
    const auto path = request.target.substr(0, request.target.find('?'));
    const auto question = request.target.size() == path.size() ? "" : request.target.substr(path.size() + 1);
    const auto query = sm::split_query(question);
    if (!query) {
        return sm::failed(query.error());
    }
    std::optional<std::string> named;
    for (const auto& [name, value] : *query) {
        if (name != "user") {
            return sm::failed(Error{fmt::format("{} {}", request.method, announcements_path),
                                    "a query parameter that is not known", "possible: user", EINVAL});
        }
        named = value;
    }
    if (path == announcements_path && request.method == "POST") {
        return announce(directory, announcements, request, now);
    }
    const bool one = path != announcements_path;
    if (request.method != (one ? "DELETE" : "GET")) {
        return wrong_method(request, one ? "DELETE" : "GET, POST");
    }
    const auto user = user_of(directory, request, named);
    if (!user) {
        return sm::failed(user.error());
    }
    if (one) {
        const auto id = path.substr(announcements_path.size() + 1);
        return announcements.withdraw(*user, id)
                   ? sm::ApiReply{.status = 204, .json = nullptr}
                   : sm::failed(Error{"withdraw an announcement", "there is none of that id",
                                      "it may have expired; GET lists those that hold", ENOENT});
    }
    json::array list;
    for (const Announcement& each : announcements.of(*user, now)) {
        list.push_back(to_json(each));
    }
    return {.status = 200, .json = json::object{{"announcements", std::move(list)}}};
}

} // namespace stem::auth
