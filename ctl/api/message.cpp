// SPDX-License-Identifier: Apache-2.0
#include "ctl/api/message.h"

#include <boost/json.hpp>

namespace stem::api {

Response refusal(int status, std::string_view what) {
    return {.status = status, .body = boost::json::serialize(boost::json::object{{"error", what}})};
}

} // namespace stem::api
