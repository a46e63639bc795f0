// SPDX-License-Identifier: Apache-2.0
// slapd and freeradius for tests: with configurations and databases of their own in the scratch folder, on
// the loopback addresses of a network namespace.
#pragma once

#include "lab/netns.h"
#include "lab/process.h"

#include <stem/error.h>

#include <filesystem>
#include <string>
#include <vector>

namespace stem::lab {

// Can that program be run here? "" = yes; else why not.
std::string why_not(const std::string& program);

// In the scratch folder, for nobody else to read.
Result<std::filesystem::path> secret_file(const char* name, const std::string& secret);

// dc=example,dc=org with people under ou=people: an attribute sipHA1 that only cn=stem may read, and
// userPassword.
class Slapd {
  public:
    struct Person {
        std::string name;
        std::string ha1;
        std::string password;
    };
    struct Tls {
        std::filesystem::path certificate;
        std::filesystem::path key;
        std::filesystem::path ca;
    };
    // Of an authority of its own, in the scratch folder, for 127.0.0.1 and ::1.
    static Result<Tls> certify(const std::string& stemctl);
    // ldaps://localhost:1636 and ldap://localhost:1389, on both families; and ldapi.
    static Result<Slapd> start(const Netns& netns, const std::vector<Person>& people, const Tls& tls);

    static constexpr const char* bind_dn = "cn=stem,dc=example,dc=org";
    static constexpr const char* bind_password = "secret of the service";
    static constexpr const char* base = "ou=people,dc=example,dc=org";
    [[nodiscard]] std::string ldapi_uri() const;
    [[nodiscard]] Process& process() { return process_; }

  private:
    Slapd(Process process, std::filesystem::path socket)
        : process_(std::move(process)), socket_(std::move(socket)) {}
    Process process_;
    std::filesystem::path socket_;
};

// Users with passwords in the clear, as rlm_digest and rlm_pap want them; takes digests in either form.
class Freeradius {
  public:
    // 127.0.0.1:1812 and [::1]:1812. `delays_no`: a second, as FreeRADIUS does by itself.
    static Result<Freeradius> start(const Netns& netns, const std::string& user, const std::string& password,
                                    bool delays_no = false);

    static constexpr const char* secret = "a secret that is long enough";
    [[nodiscard]] Process& process() { return process_; }

  private:
    explicit Freeradius(Process process) : process_(std::move(process)) {}
    Process process_;
};

} // namespace stem::lab
