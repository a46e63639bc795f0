// SPDX-License-Identifier: Apache-2.0
// What users and administrators prove themselves by.
#include "sm/directory.h"
#include "sm/failure.h"

#include <fmt/format.h>

#include <algorithm>

namespace stem::sm {
namespace {

constexpr std::size_t max_credentials_per_user = 16;

} // namespace

// A realm holds no line feed.
std::string Directory::credentials_key(std::string_view username, std::string_view realm) {
    return fmt::format("{}\n{}", realm, username);
}

Result<> Directory::set_credentials(std::string_view user, Credentials credentials) {
    const std::string attempt = fmt::format("set the password of user {}", user);
    const auto found = entry(attempt, user);
    if (!found) {
        return std::unexpected(found.error());
    }
    if (auto good = credentials.check(); !good) {
        return good;
    }
    const std::string key = credentials_key(credentials.username, credentials.realm);
    if (const auto at = user_of_credentials_.find(key);
        at != user_of_credentials_.end() && at->second != user) {
        return conflict(attempt,
                        fmt::format("user '{}' has the name '{}' in realm '{}'", at->second,
                                    credentials.username, credentials.realm),
                        "take another user name for the digest");
    }
    auto& all = (*found)->credentials;
    const auto there = std::ranges::find_if(all, [&](const Credentials& each) {
        return each.username == credentials.username && each.realm == credentials.realm;
    });
    if (there == all.end() && all.size() >= max_credentials_per_user) {
        return invalid(attempt, fmt::format("it has {} already, which is the most", all.size()),
                       "remove one first");
    }
    if (auto written = store_.put_credentials(user, credentials); !written) {
        return written;
    }
    user_of_credentials_.insert_or_assign(key, (*found)->user.name);
    if (there == all.end()) {
        all.push_back(std::move(credentials));
    } else {
        *there = std::move(credentials);
    }
    return {};
}

Result<> Directory::remove_credentials(std::string_view user, std::string_view username,
                                       std::string_view realm) {
    const std::string attempt = fmt::format("remove a password of user {}", user);
    const auto found = entry(attempt, user);
    if (!found) {
        return std::unexpected(found.error());
    }
    auto& all = (*found)->credentials;
    const auto there = std::ranges::find_if(
        all, [&](const Credentials& each) { return each.username == username && each.realm == realm; });
    if (there == all.end()) {
        return not_found(attempt, fmt::format("none for name '{}' in realm '{}'", username, realm),
                         "list them: stemctl user password USER --list");
    }
    if (auto written = store_.remove_credentials(user, username, realm); !written) {
        return written;
    }
    user_of_credentials_.erase(credentials_key(username, realm));
    all.erase(there);
    return {};
}

Result<std::vector<Credentials>> Directory::credentials(std::string_view user) const {
    const Entry* found = find_user(user);
    if (found == nullptr) {
        return not_found(fmt::format("list the passwords of user {}", user),
                         fmt::format("no user '{}'", user), "list the users to see their names");
    }
    return found->credentials;
}

Directory::Owned Directory::find_credentials(std::string_view username, std::string_view realm) const {
    const auto at = user_of_credentials_.find(credentials_key(username, realm));
    const Entry* owner = at == user_of_credentials_.end() ? nullptr : find_user(at->second);
    if (owner == nullptr) {
        return {};
    }
    const auto there = std::ranges::find_if(owner->credentials, [&](const Credentials& each) {
        return each.username == username && each.realm == realm;
    });
    return {.owner = owner, .credentials = there == owner->credentials.end() ? nullptr : &*there};
}

Result<> Directory::set_administrator(std::string_view name, std::string encoded) {
    if (auto good = check_name("administrator", name); !good) {
        return good;
    }
    Administrator administrator{.name = std::string(name), .password = std::move(encoded)};
    if (auto written = store_.put_administrator(administrator); !written) {
        return written;
    }
    administrators_.insert_or_assign(std::string(name), std::move(administrator));
    return {};
}

Result<> Directory::remove_administrator(std::string_view name) {
    const auto at = administrators_.find(name);
    if (at == administrators_.end()) {
        return not_found(fmt::format("remove administrator {}", name), "there is none of that name",
                         "list the administrators to see their names");
    }
    if (auto written = store_.remove_administrator(name); !written) {
        return written;
    }
    administrators_.erase(at);
    return {};
}

const Administrator* Directory::find_administrator(std::string_view name) const {
    const auto at = administrators_.find(name);
    return at == administrators_.end() ? nullptr : &at->second;
}

std::vector<std::string> Directory::administrators() const {
    std::vector<std::string> names;
    for (const auto& [name, administrator] : administrators_) {
        names.push_back(name);
    }
    std::ranges::sort(names);
    return names;
}

} // namespace stem::sm
