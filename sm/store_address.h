// SPDX-License-Identifier: Apache-2.0
// Where a Store is: a SQLite file, or a PostgreSQL database that several Security Managers share.
#pragma once

#include <stem/error.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace stem::sm {

class StoreAddress {
  public:
    enum class Kind : std::uint8_t { sqlite, postgresql };

    // A SQLite file.
    // NOLINTNEXTLINE(google-explicit-constructor,hicpp-explicit-conversions): a file is an address
    StoreAddress(const std::filesystem::path& file) : place_(file.native()), name_(file.native()) {}
    // A file, or "postgresql://USER@HOST/DATABASE?PARAMETER=VALUE&..." (PostgreSQL 15, 34.1.1.2). Fails on a
    // parameter that libpq does not know, on a password in it, which would be seen in the argument list and
    // in the configuration (passfile= names a file for it), and on a passfile that others may read.
    static Result<StoreAddress> parse(std::string_view text);

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] bool shared() const noexcept { return kind_ == Kind::postgresql; }
    // The file; or what libpq takes, with our defaults for what was not said: a name for the session, times
    // after which a database that does not answer counts as lost, and, unless the host is this machine,
    // TLS with a certificate that is verified.
    [[nodiscard]] const std::string& place() const noexcept { return place_; }
    // For people and the log: the file, or "postgresql://db1/stem".
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

  private:
    StoreAddress() = default;

    Kind kind_ = Kind::sqlite;
    std::string place_;
    std::string name_;
};

// For configurations: an absolute path, or a PostgreSQL URI as parse() takes it, whose passfile is not looked
// at.
bool is_store_address(std::string_view text);

} // namespace stem::sm
