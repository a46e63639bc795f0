// SPDX-License-Identifier: Apache-2.0
// A directory server (RFC 4511), by OpenLDAP's library, which blocks: for worker threads only. Each object is
// of one thread.
#pragma once

#include "sm/auth/settings.h"

#include <stem/error.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace stem::auth {

// For a filter (RFC 4515 3), so that a name cannot change what is asked.
std::string escaped_for_filter(std::string_view text);

// Fails on what could not work, or would send passwords in the clear.
Result<> check(const Settings::Ldap& settings);

class LdapDirectory {
  public:
    // `password`: of the service itself. Connects when it is first asked.
    LdapDirectory(Settings::Ldap settings, std::string password, std::chrono::milliseconds timeout);
    ~LdapDirectory();
    LdapDirectory(const LdapDirectory&) = delete;
    LdapDirectory& operator=(const LdapDirectory&) = delete;

    struct Entry {
        std::string dn;
        std::string md5; // the HA1 attributes; "" = has none
        std::string sha256;
    };
    // Nothing: nobody has that name. Fails where the server cannot be asked, or several have it.
    Result<std::optional<Entry>> find(std::string_view username);
    // Does the server take that password of that entry? On a connection of its own.
    Result<bool> is_password(const std::string& dn, const std::string& password) const;

  private:
    class Connection;
    Result<std::unique_ptr<Connection>> connect() const;
    Result<std::optional<Entry>> search(std::string_view username);

    Settings::Ldap settings_;
    std::string password_;
    std::chrono::milliseconds timeout_;
    std::unique_ptr<Connection> connection_;
};

} // namespace stem::auth
