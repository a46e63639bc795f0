// SPDX-License-Identifier: Apache-2.0
#include "sm/store_address.h"

#include "sm/failure.h"

#include <libpq-fe.h>

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <utility>

namespace stem::sm {
namespace {

constexpr std::string_view scheme = "postgresql://";
constexpr std::string_view short_scheme = "postgres://";
constexpr const char* example = "write postgresql://stem@db1/stem?passfile=/etc/stem/pgpass";

using Parameters = std::map<std::string, std::string>;

// What holds where the address does not say otherwise. A database that does not answer must not hold up
// decisions for long: a dead peer is found in about four seconds, a statement ends after two.
constexpr std::array<std::pair<const char*, const char*>, 8> defaults{{
    {"application_name", "stem"},
    {"client_encoding", "UTF8"},
    {"connect_timeout", "3"},
    {"keepalives_idle", "2"},
    {"keepalives_interval", "1"},
    {"keepalives_count", "2"},
    {"tcp_user_timeout", "3000"},
    {"options", "-c statement_timeout=2000 -c lock_timeout=1500 -c idle_in_transaction_session_timeout=5000"},
}};

Result<Parameters> parameters_of(std::string_view text) {
    char* complaint = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
        PQconninfoParse(std::string(text).c_str(), &complaint), &PQconninfoFree);
    const std::unique_ptr<char, decltype(&PQfreemem)> words(complaint, &PQfreemem);
    if (!options) {
        std::string cause = words ? words.get() : "out of memory";
        cause.erase(std::ranges::find(cause, '\n'), cause.end());
        // What libpq quotes may be a password at the wrong place.
        return invalid("read a database's address",
                       "libpq does not take it: " + cause.substr(0, cause.find('"')), example);
    }
    Parameters found;
    for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr && *option->val != '\0') {
            found.emplace(option->keyword, option->val);
        }
    }
    return found;
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

// A unix socket's folder, or a name of the loopback interface.
bool is_here(std::string_view host) {
    return host.empty() || host.front() == '/' || host.front() == '@' || host == "localhost" ||
           host == "127.0.0.1" || host == "::1";
}

bool all_here(const Parameters& parameters) {
    for (const char* name : {"host", "hostaddr"}) {
        const auto found = parameters.find(name);
        if (found == parameters.end()) {
            continue;
        }
        std::string_view hosts = found->second;
        while (true) {
            const auto host = hosts.substr(0, hosts.find(','));
            if (!is_here(host)) {
                return false;
            }
            if (host.size() == hosts.size()) {
                break;
            }
            hosts.remove_prefix(host.size() + 1);
        }
    }
    return true;
}

Result<> check_passfile(const std::string& file) {
    struct stat status{};
    const std::string attempt = "use passfile " + file;
    if (::stat(file.c_str(), &status) != 0) {
        return fail_errno(attempt, errno, "lines of it: HOST:PORT:DATABASE:USER:PASSWORD");
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return invalid(attempt, "others than its owner may read or write it", "chmod 600 " + file);
    }
    return {};
}

Result<Parameters> checked(std::string_view text) {
    auto parameters = parameters_of(text);
    if (!parameters) {
        return parameters;
    }
    for (const char* secret : {"password", "sslpassword"}) {
        if (parameters->contains(secret)) {
            return invalid(
                "read a database's address", fmt::format("there is a {} in it", secret),
                "put it into a file of mode 0600, and name that with passfile=FILE or service=NAME");
        }
    }
    return parameters;
}

} // namespace

bool is_store_address(std::string_view text) {
    if (text.starts_with(scheme) || text.starts_with(short_scheme)) {
        return checked(text).has_value();
    }
    return text.starts_with('/');
}

Result<StoreAddress> StoreAddress::parse(std::string_view text) {
    if (!text.starts_with(scheme) && !text.starts_with(short_scheme)) {
        return StoreAddress(std::filesystem::path(text));
    }
    auto parameters = checked(text);
    if (!parameters) {
        return std::unexpected(parameters.error());
    }
    if (const auto file = parameters->find("passfile"); file != parameters->end()) {
        if (auto good = check_passfile(file->second); !good) {
            return std::unexpected(good.error());
        }
    }
    StoreAddress address;
    address.kind_ = Kind::postgresql;
    const auto said = [&](const char* name) {
        const auto found = parameters->find(name);
        return found == parameters->end() ? std::string() : found->second;
    };
    address.name_ = said("service").empty() ? fmt::format("{}{}/{}", scheme, said("host"), said("dbname"))
                                            : fmt::format("{}?service={}", scheme, said("service"));
    parameters->insert(defaults.begin(), defaults.end());
    // A service file may say better.
    if (!all_here(*parameters) && said("service").empty()) {
        parameters->emplace("sslmode", "verify-full");
    }
    // SOCI takes keyword=value lists apart in a way of its own, but leaves a URI alone.
    address.place_ = std::string(scheme) + "/";
    char separator = '?';
    for (const auto& [name, value] : *parameters) {
        address.place_ += fmt::format("{}{}={}", separator, name, escaped(value));
        separator = '&';
    }
    return address;
}

} // namespace stem::sm
