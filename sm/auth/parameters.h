// SPDX-License-Identifier: Apache-2.0
// The keys of [auth], for each program that has a Security Manager in it: its configuration `C` has the
// members `auth` and `sm.policy`.
#pragma once

#include "lib/settings/fields.h"
#include "sm/auth/settings.h"

#include <algorithm>
#include <array>

namespace stem::auth {

inline constexpr settings::Section section{
    "auth", "Who makes a call from inside: digests, and where passwords are known (docs/authentication.md)."};

inline bool is_algorithm(std::string_view value) {
    return algorithm_from(value).has_value();
}
inline bool is_backend(std::string_view value) {
    return value == "local" || value == "ldap" || value == "radius";
}

inline bool is_filled(std::string_view value) {
    return !value.empty() && value.find('\0') == std::string_view::npos;
}
inline bool is_anything(std::string_view value) {
    return value.find('\0') == std::string_view::npos;
}
inline constexpr std::array<std::string_view, 2> no_yes{"no", "yes"};
inline constexpr std::array<std::string_view, 2> digest_forms{"rfc5090", "sterman"};

template<typename C>
auto parameters() {
    using settings::choice;
    using settings::integer;
    using settings::text;
    using settings::text_list;
    using std::chrono::milliseconds;
    using std::chrono::seconds;
    using P = settings::Parameter<C>;
    return std::array{
        P{"auth", "realm",
          text<STEM_FIELD(sm.policy.realm)>("1 to 64 printable ASCII characters without quote and backslash",
                                            is_realm),
          "The realm in which users' passwords hold. Stored hashes are made with it: who changes it must set "
          "all passwords anew."},
        P{"auth", "algorithms",
          text_list<STEM_FIELD(auth.algorithms)>("\"SHA-256\" or \"MD5\"", is_algorithm),
          "What callers are asked for, the preferred one first. Some old phones fail at a challenge for an "
          "algorithm that they do not know, although they know the next."},
        P{"auth", "nonce_seconds", integer<STEM_FIELD(auth.nonce_lifetime), seconds>("s", 5, 3600),
          "How long the answer to a challenge is good. An older one is challenged anew, without a question "
          "to "
          "the user (stale)."},
        P{"auth", "nonce_key",
          text<STEM_FIELD(auth.nonce_key)>("an absolute path, or \"\" for none",
                                           settings::is_absolute_path_or_empty),
          "A file of 32 random octets or more, mode 0600, by which nonces are made. Security Managers that "
          "share it take answers to each other's challenges. Without one each process has a key of its own."},
        P{"auth", "backends",
          text_list<STEM_FIELD(auth.backends)>("\"local\", \"ldap\" or \"radius\"", is_backend),
          "Where passwords are known; asked in this order, until one knows the user. local: the database; "
          "ldap and "
          "radius: servers elsewhere."},
        P{"auth", "timeout_ms", integer<STEM_FIELD(auth.timeout), milliseconds>("ms", 10, 30000),
          "How long all of them together may take; then the call is refused with 503. Less than "
          "query_timeout_ms of the firewalls, and than decision_timeout_ms."},
        P{"auth", "free_failures", integer<STEM_FIELD(auth.free_failures)>("", 1, 1000),
          "Wrong passwords of one source with one user name that cost nothing. After that it must wait, and "
          "longer each time; from elsewhere the user is not slowed."},
        P{"auth", "free_failures_of_source", integer<STEM_FIELD(auth.free_failures_of_source)>("", 1, 100000),
          "The same of one source with all user names together."},
        P{"auth", "delay_seconds", integer<STEM_FIELD(auth.first_delay), seconds>("s", 1, 3600),
          "The first such wait; it doubles with each failure. Meanwhile calls are refused with 480."},
        P{"auth", "max_delay_seconds", integer<STEM_FIELD(auth.max_delay), seconds>("s", 1, 86400),
          "The longest such wait."},
        P{"auth", "threads", integer<STEM_FIELD(auth.threads)>("", 1, 64),
          "For ldap, which blocks, and for administrators' passwords."},
        P{"auth", "queue", integer<STEM_FIELD(auth.queue)>("", 1, 65536),
          "What may wait for these threads; one more is refused with 503."},
        P{"auth", "ldap_uri", text<STEM_FIELD(auth.ldap.uri)>("a URI", is_filled),
          "The directory server: ldaps://HOST, ldapi://SOCKET, or ldap://HOST with ldap_start_tls."},
        P{"auth", "ldap_start_tls", choice<STEM_FIELD(auth.ldap.start_tls)>(no_yes),
          "Begin TLS on an ldap:// connection before anything else; it ends where that fails."},
        P{"auth", "ldap_ca",
          text<STEM_FIELD(auth.ldap.ca)>("an absolute path, or \"\" for the system's",
                                         settings::is_absolute_path_or_empty),
          "Authorities whose certificate the directory server must have, PEM."},
        P{"auth", "ldap_bind_dn", text<STEM_FIELD(auth.ldap.bind_dn)>("a DN, or \"\" for none", is_anything),
          "As whom entries are searched. It must be able to read the attributes with the hashes."},
        P{"auth", "ldap_password",
          text<STEM_FIELD(auth.ldap.password)>("an absolute path", settings::is_absolute_path_or_empty),
          "A file with its password, mode 0600."},
        P{"auth", "ldap_base", text<STEM_FIELD(auth.ldap.base)>("a DN", is_anything),
          "Under which entry users are searched."},
        P{"auth", "ldap_filter", text<STEM_FIELD(auth.ldap.filter)>("a filter with %u in it", is_filled),
          "What finds a user's entry; %u is the user name of the digest."},
        P{"auth", "ldap_md5_attribute",
          text<STEM_FIELD(auth.ldap.md5_attribute)>("an attribute's name, or \"\" for none", is_anything),
          "Holds a user's HA1 for MD5: the MD5 of NAME:REALM:PASSWORD in hexadecimal."},
        P{"auth", "ldap_sha256_attribute",
          text<STEM_FIELD(auth.ldap.sha256_attribute)>("an attribute's name, or \"\" for none", is_anything),
          "The same for SHA-256."},
        P{"auth", "radius_servers",
          text_list<STEM_FIELD(auth.radius.servers)>(
              "an address and a port, such as \"192.0.2.9:1812\" or \"[2001:db8::9]:1812\"", is_filled),
          "RADIUS servers, asked in this order; each twice."},
        P{"auth", "radius_secret",
          text<STEM_FIELD(auth.radius.secret)>("an absolute path", settings::is_absolute_path_or_empty),
          "A file with the secret that they share with us, 16 octets or more, mode 0600."},
        P{"auth", "radius_digest", choice<STEM_FIELD(auth.radius.form)>(digest_forms),
          "How a digest is put: rfc5090, or sterman: as FreeRADIUS's module digest reads it. FreeRADIUS "
          "knows "
          "MD5 only: set algorithms."},
        P{"auth", "radius_signed", choice<STEM_FIELD(auth.radius.must_be_signed)>(no_yes),
          "Must an answer have a Message-Authenticator? Without one it can be forged (CVE-2024-3596). Our "
          "requests always have it."},
    };
}

} // namespace stem::auth

namespace stem::settings {

template<typename T, std::size_t N, std::size_t M>
std::array<T, N + M> joined_tables(const std::array<T, N>& first, const std::array<T, M>& second) {
    std::array<T, N + M> all{first.front()};
    std::ranges::copy(first, all.begin());
    std::ranges::copy(second, all.begin() + N);
    return all;
}

} // namespace stem::settings
