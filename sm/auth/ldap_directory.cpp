// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/ldap_directory.h"

#include "sm/failure.h"

#include <fmt/format.h>
#include <ldap.h>

#include <sys/time.h>

#include <array>
#include <utility>

namespace stem::auth {
namespace {

struct FreeMessage {
    void operator()(LDAPMessage* message) const { ldap_msgfree(message); }
};
using Message = std::unique_ptr<LDAPMessage, FreeMessage>;

timeval time_of(std::chrono::milliseconds duration) {
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(duration);
    return {.tv_sec = whole.count(),
            .tv_usec = std::chrono::duration_cast<std::chrono::microseconds>(duration - whole).count()};
}

std::unexpected<Error> failure(std::string_view what, const Settings::Ldap& settings, int code) {
    return fail(fmt::format("{} directory server {}", what, settings.uri), ldap_err2string(code));
}

std::string text_of(const berval& value) {
    return {value.bv_val, value.bv_len};
}

} // namespace

std::string escaped_for_filter(std::string_view text) {
    std::string out;
    for (const char octet : text) {
        const auto number = static_cast<unsigned char>(octet);
        const bool plain = (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
                           (octet >= '0' && octet <= '9') || octet == '.' || octet == '-' || octet == '_' ||
                           octet == '@';
        out += plain ? std::string(1, octet) : fmt::format("\\{:02x}", number);
    }
    return out;
}

Result<> check(const Settings::Ldap& settings) {
    const std::string attempt = "use directory server " + settings.uri;
    const bool local = settings.uri.starts_with("ldapi://");
    const bool tls = settings.uri.starts_with("ldaps://");
    if (!local && !tls && !settings.uri.starts_with("ldap://")) {
        return sm::invalid(attempt, "not a URI of a directory server", "write ldaps://ldap.example.org");
    }
    if (!local && !tls && !settings.start_tls) {
        return sm::invalid(attempt, "passwords would cross the network in the clear",
                           R"(take ldaps://, or set ldap_start_tls = "yes")");
    }
    if (settings.filter.find("%u") == std::string::npos) {
        return sm::invalid(attempt, "ldap_filter does not hold %u", "write (uid=%u)");
    }
    if (settings.base.empty()) {
        return sm::invalid(attempt, "ldap_base is empty", "write ou=people,dc=example,dc=org");
    }
    return {};
}

class LdapDirectory::Connection {
  public:
    explicit Connection(LDAP* handle) : handle_(handle) {}
    ~Connection() { ldap_unbind_ext_s(handle_, nullptr, nullptr); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    [[nodiscard]] LDAP* get() const { return handle_; }
    [[nodiscard]] int bind(const std::string& dn, const std::string& password) const {
        berval secret{.bv_len = password.size(), .bv_val = const_cast<char*>(password.data())};
        return ldap_sasl_bind_s(handle_, dn.c_str(), LDAP_SASL_SIMPLE, &secret, nullptr, nullptr, nullptr);
    }
    // The first value; "" = the entry has none.
    [[nodiscard]] std::string value(LDAPMessage* entry, const std::string& attribute) const {
        if (attribute.empty()) {
            return {};
        }
        berval** values = ldap_get_values_len(handle_, entry, attribute.c_str());
        std::string first = values == nullptr || values[0] == nullptr ? std::string() : text_of(*values[0]);
        ldap_value_free_len(values);
        return first;
    }

  private:
    LDAP* handle_;
};

LdapDirectory::LdapDirectory(Settings::Ldap settings, std::string password, std::chrono::milliseconds timeout)
    : settings_(std::move(settings)), password_(std::move(password)), timeout_(timeout) {
}

LdapDirectory::~LdapDirectory() = default;

// Not bound yet.
Result<std::unique_ptr<LdapDirectory::Connection>> LdapDirectory::connect() const {
    LDAP* handle = nullptr;
    if (const int code = ldap_initialize(&handle, settings_.uri.c_str()); code != LDAP_SUCCESS) {
        return failure("connect to", settings_, code);
    }
    auto connection = std::make_unique<Connection>(handle);
    const int version = LDAP_VERSION3;
    const timeval limit = time_of(timeout_);
    ldap_set_option(handle, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(handle, LDAP_OPT_NETWORK_TIMEOUT, &limit);
    ldap_set_option(handle, LDAP_OPT_TIMEOUT, &limit);
    ldap_set_option(handle, LDAP_OPT_REFERRALS, LDAP_OPT_OFF); // whither is not for a server to say
    ldap_set_option(handle, LDAP_OPT_RESTART, LDAP_OPT_ON);
    const int demand = LDAP_OPT_X_TLS_DEMAND;
    ldap_set_option(handle, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
    const int least = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
    ldap_set_option(handle, LDAP_OPT_X_TLS_PROTOCOL_MIN, &least);
    if (!settings_.ca.empty()) {
        ldap_set_option(handle, LDAP_OPT_X_TLS_CACERTFILE, settings_.ca.c_str());
    }
    const int fresh = 0;
    ldap_set_option(handle, LDAP_OPT_X_TLS_NEWCTX, &fresh);
    if (settings_.start_tls && settings_.uri.starts_with("ldap://")) {
        if (const int code = ldap_start_tls_s(handle, nullptr, nullptr); code != LDAP_SUCCESS) {
            return failure("begin TLS with", settings_, code);
        }
    }
    return connection;
}

Result<std::optional<LdapDirectory::Entry>> LdapDirectory::find(std::string_view username) {
    const bool kept = connection_ != nullptr;
    auto found = search(username);
    if (!found && kept) { // the server may have closed it meanwhile
        found = search(username);
    }
    return found;
}

Result<std::optional<LdapDirectory::Entry>> LdapDirectory::search(std::string_view username) {
    if (!connection_) {
        auto fresh = connect();
        if (!fresh) {
            return std::unexpected(fresh.error());
        }
        if (const int code = (*fresh)->bind(settings_.bind_dn, password_); code != LDAP_SUCCESS) {
            return failure("bind to", settings_, code);
        }
        connection_ = std::move(*fresh);
    }
    std::string filter = settings_.filter;
    const std::string name = escaped_for_filter(username);
    for (auto at = filter.find("%u"); at != std::string::npos; at = filter.find("%u", at + name.size())) {
        filter.replace(at, 2, name);
    }
    std::string md5 = settings_.md5_attribute;
    std::string sha256 = settings_.sha256_attribute;
    std::string none(LDAP_NO_ATTRS);
    std::array<char*, 4> wanted{none.data(), nullptr, nullptr, nullptr};
    std::size_t count = 0;
    for (std::string* attribute : {&md5, &sha256}) {
        if (!attribute->empty()) {
            wanted[count++] = attribute->data();
        }
    }
    timeval limit = time_of(timeout_);
    LDAPMessage* raw = nullptr;
    constexpr int most = 2; // to see that there are several
    const int code =
        ldap_search_ext_s(connection_->get(), settings_.base.c_str(), LDAP_SCOPE_SUBTREE, filter.c_str(),
                          wanted.data(), 0, nullptr, nullptr, &limit, most, &raw);
    const Message message(raw);
    if (code == LDAP_NO_SUCH_OBJECT) {
        return std::optional<Entry>();
    }
    if (code != LDAP_SUCCESS && code != LDAP_SIZELIMIT_EXCEEDED) {
        connection_.reset();
        return failure("search", settings_, code);
    }
    LDAP* handle = connection_->get();
    LDAPMessage* first = ldap_first_entry(handle, message.get());
    if (first == nullptr) {
        return std::optional<Entry>();
    }
    if (code == LDAP_SIZELIMIT_EXCEEDED || ldap_next_entry(handle, first) != nullptr) {
        return fail("search directory server " + settings_.uri, "several entries have that name",
                    "make ldap_filter narrower");
    }
    char* dn = ldap_get_dn(handle, first);
    Entry entry{.dn = dn == nullptr ? "" : dn,
                .md5 = connection_->value(first, md5),
                .sha256 = connection_->value(first, sha256)};
    ldap_memfree(dn);
    return std::optional(std::move(entry));
}

Result<bool> LdapDirectory::is_password(const std::string& dn, const std::string& password) const {
    if (password.empty() || dn.empty()) { // would be "unauthenticated", and always work (RFC 4513 5.1.2)
        return false;
    }
    const auto connection = connect();
    if (!connection) {
        return std::unexpected(connection.error());
    }
    const int code = (*connection)->bind(dn, password);
    if (code == LDAP_INVALID_CREDENTIALS || code == LDAP_INAPPROPRIATE_AUTH) {
        return false;
    }
    return code == LDAP_SUCCESS ? Result<bool>(true) : failure("bind to", settings_, code);
}

} // namespace stem::auth
