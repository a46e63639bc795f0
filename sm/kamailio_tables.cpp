// SPDX-License-Identifier: Apache-2.0
#include "sm/kamailio_tables.h"

#include "sm/failure.h"
#include "sm/store_session.h"
#include "sm/uri.h"

#include <soci/sqlite3/soci-sqlite3.h>

#include <filesystem>

namespace stem::sm {
namespace {

using soci::into;

// Kamailio writes local time, as text or, in SQLite, as a Julian day; 0 is a registration that never ends.
constexpr const char* sqlite_expires =
    "CASE WHEN typeof(expires) = 'text' THEN CAST(strftime('%s', expires, 'utc') AS BIGINT) "
    "WHEN expires > 5373484 THEN CAST(expires AS BIGINT) "
    "WHEN expires > 0 THEN CAST(strftime('%s', expires, 'utc') AS BIGINT) ELSE 0 END";
constexpr const char* postgresql_expires = "cast(extract(epoch FROM cast(expires AS timestamptz)) AS BIGINT)";

Result<> open(soci::session& sql, const StoreAddress& database) {
    if (database.shared()) {
        postgresql::open(sql, database.place());
        return {};
    }
    // SQLite would make it.
    std::error_code error;
    if (!std::filesystem::is_regular_file(database.place(), error)) {
        return fail_errno("open Kamailio's database " + database.name(), error ? error.value() : ENOENT,
                          "name its SQLite file (DBPATH in kamctlrc), or postgresql://USER@HOST/kamailio");
    }
    sql.open(soci::sqlite3, "db=\"" + database.place() + "\"");
    return {};
}

template<typename Work>
Result<> with(const StoreAddress& database, std::string_view table, Work&& work) {
    try {
        soci::session sql;
        if (auto opened = open(sql, database); !opened) {
            return opened;
        }
        work(sql);
        return {};
    } catch (const std::exception& thrown) {
        return fail(fmt::format("read table {} of Kamailio's database {}", table, database.name()),
                    words_of(thrown),
                    "is it the database that Kamailio's scripts (kamdbctl create) have made?");
    }
}

} // namespace

Result<std::vector<KamailioSubscriber>> read_kamailio_subscribers(const StoreAddress& database) {
    std::vector<KamailioSubscriber> all;
    const auto done = with(database, "subscriber", [&](soci::session& sql) {
        KamailioSubscriber row;
        long long id = 0;
        soci::statement rows =
            (sql.prepare << "SELECT id, username, domain, ha1, ha1b FROM subscriber ORDER BY id", into(id),
             into(row.username), into(row.domain), into(row.ha1), into(row.ha1b));
        rows.execute();
        while (rows.fetch()) {
            row.id = id;
            all.push_back(row);
        }
    });
    return done ? Result<std::vector<KamailioSubscriber>>(std::move(all)) : std::unexpected(done.error());
}

Result<std::vector<KamailioLocation>> read_kamailio_locations(const StoreAddress& database) {
    std::vector<KamailioLocation> all;
    const auto done = with(database, "location", [&](soci::session& sql) {
        KamailioLocation row;
        long long id = 0;
        Nullable<long long> expires;
        soci::statement rows =
            (sql.prepare << fmt::format(
                 "SELECT id, username, coalesce(domain, ''), contact, coalesce(received, ''), "
                 "coalesce(path, ''), q, {} FROM location ORDER BY id",
                 database.shared() ? postgresql_expires : sqlite_expires),
             into(id), into(row.username), into(row.domain), into(row.contact), into(row.received),
             into(row.path), into(row.q), into(expires.value, expires.indicator));
        rows.execute();
        while (rows.fetch()) {
            row.id = id;
            row.expires.reset();
            if (expires.present() && expires.value > 0) {
                row.expires = TimePoint(std::chrono::seconds(expires.value));
            }
            all.push_back(row);
        }
    });
    return done ? Result<std::vector<KamailioLocation>>(std::move(all)) : std::unexpected(done.error());
}

Result<Address> address_of(const KamailioLocation& location) {
    const std::string attempt =
        fmt::format("find the address of contact '{}'", location.contact.substr(0, 80));
    if (!location.path.empty()) {
        return invalid(attempt, "it registered through another proxy: " + location.path.substr(0, 80),
                       "set that proxy's address (stemctl location set)");
    }
    const auto record =
        AddressOfRecord::parse(location.received.empty() ? location.contact : location.received);
    if (!record) {
        return std::unexpected(record.error());
    }
    std::string_view host = record->host;
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    auto address = Address::parse(host);
    if (!address) {
        return invalid(attempt, fmt::format("'{}' is a name, not an address", record->host),
                       "set its address (stemctl location set)");
    }
    return address;
}

} // namespace stem::sm
