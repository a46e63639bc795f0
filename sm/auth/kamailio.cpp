// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/kamailio.h"

#include "sm/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stem::auth {
namespace {

std::string lowered(std::string_view text) {
    std::string out(text);
    std::ranges::transform(
        out, out.begin(), [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

} // namespace

Result<std::vector<sm::Credentials>> credentials_of_subscriber(std::string_view username,
                                                               std::string_view domain, std::string_view ha1,
                                                               std::string_view ha1b) {
    constexpr std::size_t sha256_digits = 64;
    std::vector<sm::Credentials> all;
    for (const auto& [name, hash] :
         {std::pair(std::string(username), ha1), std::pair(fmt::format("{}@{}", username, domain), ha1b)}) {
        if (hash.empty()) {
            continue;
        }
        sm::Credentials credentials{.username = name, .realm = std::string(domain)};
        (hash.size() == sha256_digits ? credentials.sha256 : credentials.md5) = lowered(hash);
        if (auto good = credentials.check(); !good) {
            return std::unexpected(good.error());
        }
        all.push_back(std::move(credentials));
    }
    if (all.empty()) {
        return sm::invalid(fmt::format("read subscriber {}@{}", username, domain), "neither ha1 nor ha1b",
                           "set the user's password with: stemctl user password");
    }
    return all;
}

} // namespace stem::auth
