// SPDX-License-Identifier: Apache-2.0
// How callers are authenticated; the realm is in sm::Settings, because stored hashes depend on it.
#pragma once

#include "sm/auth/radius_packet.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace stem::auth {

struct Settings {
    std::vector<std::string> algorithms{"SHA-256", "MD5"}; // asked for in this order (RFC 8760 2.3)
    std::chrono::seconds nonce_lifetime{120};
    std::string nonce_key;                      // file; "" = of this process alone
    std::vector<std::string> backends{"local"}; // asked in turn, until one knows the user
    std::chrono::milliseconds timeout{800};     // of all of them together; then 503

    std::uint32_t free_failures = 3;            // of one source with one user
    std::uint32_t free_failures_of_source = 20; // of one source with all users
    std::chrono::seconds first_delay{2};
    std::chrono::seconds max_delay{300};

    struct Radius {
        std::vector<std::string> servers;               // "192.0.2.9:1812"
        std::string secret = "/etc/stem/radius.secret"; // file
        radius::DigestForm form = radius::DigestForm::rfc5090;
        bool must_be_signed = true; // an answer without Message-Authenticator is none
    } radius;

    struct Ldap {
        std::string uri = "ldaps://localhost"; // or ldapi://, or ldap:// with StartTLS
        bool start_tls = false;
        std::string ca;                                 // file; "" = the system's
        std::string bind_dn;                            // as whom entries are searched; "" = anonymously
        std::string password = "/etc/stem/ldap.secret"; // file
        std::string base;
        std::string filter = "(uid=%u)"; // %u: the user name, escaped (RFC 4515 3)
        std::string md5_attribute = "";  // that holds the HA1; "" = none
        std::string sha256_attribute = "";
    } ldap;

    std::uint32_t threads = 2; // for libraries that block
    std::uint32_t queue = 256; // what may wait for them

    // The algorithms that are known of those named.
    [[nodiscard]] std::vector<Algorithm> known_algorithms() const {
        std::vector<Algorithm> known;
        for (const std::string& name : algorithms) {
            if (const auto algorithm = algorithm_from(name)) {
                known.push_back(*algorithm);
            }
        }
        return known;
    }
};

} // namespace stem::auth
