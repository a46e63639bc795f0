// SPDX-License-Identifier: Apache-2.0
#include "ctl/api/message.h"

#include <boost/json.hpp>

namespace stem::api {

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
