// SPDX-License-Identifier: Apache-2.0
// A request taken apart, and the replies that all routes share. For the api_*.cpp files only.
#pragma once

#include "sm/api.h"

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::sm {

struct ApiRequest {
    Directory& directory;
    Admission& admission;
    TimePoint now;
    std::string_view who;
    std::string_view method;
    std::vector<std::string> path;            // after "/v1/": "users", "alice", escapes resolved
    std::map<std::string, std::string> query; // escapes resolved
    boost::json::value body;                  // null without one

    [[nodiscard]] std::string query_or(const std::string& name, const std::string& fallback) const;
    // An error if the query holds a name that the route does not know.
    [[nodiscard]] std::optional<ApiReply> refuse_query(std::initializer_list<std::string_view> known) const;
};

Result<std::vector<std::string>> split_path(std::string_view path);
Result<std::map<std::string, std::string>> split_query(std::string_view query);

ApiReply failed(const Error& error);
ApiReply wrong_method(const ApiRequest& request, std::string allow);
ApiReply no_route(std::string_view method, std::string_view target);
// 204, or the failure.
ApiReply no_content(const Result<>& done);

ApiReply handle_users(ApiRequest& request);
ApiReply handle_credentials(ApiRequest& request, const std::string& user);
ApiReply handle_administrators(ApiRequest& request);
ApiReply handle_backup(ApiRequest& request);
ApiReply handle_restore(ApiRequest& request);
ApiReply handle_profiles(ApiRequest& request);
ApiReply handle_thresholds(ApiRequest& request);
std::string threshold_scope(const ApiRequest& request);
ApiReply handle_groups(ApiRequest& request);
ApiReply handle_spam(ApiRequest& request);
ApiReply handle_limits(ApiRequest& request);
ApiReply handle_blocks(ApiRequest& request);
// docs/openapi.json, as it was when this was built.
std::string_view openapi_text();
ApiReply handle_audit(ApiRequest& request);

} // namespace stem::sm
