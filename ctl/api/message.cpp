// SPDX-License-Identifier: Apache-2.0
#include "ctl/api/message.h"

#include <boost/json.hpp>

namespace stem::api {
namespace {

std::string text_of(const boost::json::object& object, std::string_view key) {
    const boost::json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

} // namespace

// As api::refusal() and the Security Manager write it.
Error error_of(const Request& request, const Response& response) {
    Error error{.attempt = request.method + " " + request.target,
                .cause = "status " + std::to_string(response.status),
                .code = response.status};
    boost::system::error_code broken;
    const boost::json::value body = boost::json::parse(response.body, broken);
    const auto* object = broken ? nullptr : body.if_object();
    const auto* member = object == nullptr ? nullptr : object->if_contains("error");
    if (const auto* told = member == nullptr ? nullptr : member->if_object()) {
        error.attempt = text_of(*told, "attempt");
        error.cause = text_of(*told, "cause");
        error.remedy = text_of(*told, "remedy");
    }
    return error;
}

Response refusal(int status, const Error& error) {
    return {.status = status,
            .body = boost::json::serialize(boost::json::object{{"error",
                                                                {{"message", error.message()},
                                                                 {"attempt", error.attempt},
                                                                 {"cause", error.cause},
                                                                 {"remedy", error.remedy}}}})};
}

Response refusal(int status, std::string what) {
    return refusal(status, Error{.attempt = std::move(what), .cause = {}});
}

} // namespace stem::api
