// SPDX-License-Identifier: Apache-2.0
// user import, location import: from the tables of a Kamailio, through the API, so that it works with any
// Security Manager. What cannot be taken over is named by table and row; the rest goes on.
#include "ctl/stemctl/import_command.h"

#include "ctl/stemctl/stemd_client.h"
#include "sm/auth/kamailio.h"
#include "sm/kamailio_tables.h"
#include "sm/timestamp.h"
#include "sm/uri.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

struct ImportOptions {
    std::string database;
    std::string domain;
    std::string profile;
};
using Options = std::shared_ptr<ImportOptions>;

// What became of the rows of one table.
class Tally {
  public:
    explicit Tally(std::string table) : table_(std::move(table)) {}

    void read(std::size_t rows) { rows_ = rows; }
    void added() { ++added_; }
    void present() { ++present_; }
    void expired() { ++expired_; }
    void failed(std::int64_t row, const std::string& whose, const Error& error) {
        failures_.push_back({{"table", table_}, {"row", row}, {"of", whose}, {"error", error.message()}});
    }
    [[nodiscard]] int finish(const Session& session, const std::string& note) const;

  private:
    std::string table_;
    std::size_t rows_ = 0;
    std::size_t added_ = 0;
    std::size_t present_ = 0;
    std::size_t expired_ = 0;
    std::vector<json::object> failures_;
};

int Tally::finish(const Session& session, const std::string& note) const {
    if (session.json) {
        json::array failures(failures_.begin(), failures_.end());
        Session::print(json::value(json::object{{"table", table_},
                                                {"rows", rows_},
                                                {"added", added_},
                                                {"present", present_},
                                                {"expired", expired_},
                                                {"failed", std::move(failures)},
                                                {"note", note}}));
    } else {
        for (const auto& failure : failures_) {
            Session::warn(fmt::format("table {}, row {} ({}): {}", table_, json::serialize(failure.at("row")),
                                      std::string_view(failure.at("of").as_string()),
                                      std::string_view(failure.at("error").as_string())));
        }
        Session::print(
            fmt::format("table {}: {} rows; {} added, {} there already, {} expired, {} failed\n{}\n", table_,
                        rows_, added_, present_, expired_, failures_.size(), note));
    }
    return failures_.empty() ? exit_done : exit_failed;
}

// Of the users that are there.
struct Known {
    std::set<std::string> names;
    std::map<std::string, std::string> user_of_uri;
};

Result<Known> known_users(const Session& session) {
    const auto answer = ask_stemd(session, "GET", "/v1/users");
    if (!answer) {
        return std::unexpected(answer.error());
    }
    Known known;
    for (const auto& user : members(*answer, "users")) {
        const std::string name = member(user, "name");
        for (const auto& uri : members(user, "uris")) {
            known.user_of_uri.emplace(std::string(uri.as_string()), name);
        }
        known.names.insert(name);
    }
    return known;
}

// "sip:alice@example.org", as the Security Manager spells it.
Result<std::string> uri_of(const std::string& username, const std::string& domain,
                           const ImportOptions& options) {
    const std::string& host = domain.empty() ? options.domain : domain;
    if (host.empty()) {
        return fail("make a URI of username " + username, "the row has no domain",
                    "say which it is: --domain example.org");
    }
    const auto record = sm::AddressOfRecord::parse("sip:" + username + "@" + host);
    return record ? Result<std::string>(record->to_string()) : std::unexpected(record.error());
}

Result<> add_user(const Session& session, const std::string& name, const std::string& uri,
                  const ImportOptions& options) {
    const auto added = ask_stemd(
        session, "POST", "/v1/users",
        json::object{{"name", name},
                     {"profile", options.profile.empty() ? json::value() : json::value(options.profile)},
                     {"uris", json::array{uri}}});
    return added ? Result<>() : std::unexpected(added.error());
}

using Credentials = std::vector<sm::Credentials>;

// Takes off those that the user has. One who has others has a password of his own: nothing is left then.
Result<> leave_what_is_missing(const Session& session, const std::string& name, Credentials& all) {
    const auto answer = ask_stemd(session, "GET", "/v1/users/" + escaped(name) + "/credentials");
    if (!answer) {
        return std::unexpected(answer.error());
    }
    for (const auto& there : members(*answer, "credentials")) {
        const auto taken = std::erase_if(all, [&](const sm::Credentials& each) {
            return each.username == member(there, "username") && each.realm == member(there, "realm");
        });
        if (taken == 0) {
            all.clear();
            break;
        }
    }
    return {};
}

// The hashes of the row's password, if it has them; gives whether it does. Of a user who was `present` those
// that an import before could not set.
Result<bool> set_credentials(const Session& session, const std::string& name,
                             const sm::KamailioSubscriber& row, const ImportOptions& options, bool present) {
    if (row.ha1.empty() && row.ha1b.empty()) {
        return false;
    }
    const std::string& realm = row.domain.empty() ? options.domain : row.domain;
    auto all = auth::credentials_of_subscriber(row.username, realm, row.ha1, row.ha1b);
    if (!all) {
        return std::unexpected(all.error());
    }
    if (auto left = present ? leave_what_is_missing(session, name, *all) : Result<>(); !left) {
        return std::unexpected(left.error());
    }
    for (const sm::Credentials& credentials : *all) {
        json::object body{{"username", credentials.username}, {"realm", credentials.realm}};
        body[credentials.sha256.empty() ? "md5" : "sha256"] =
            credentials.sha256.empty() ? credentials.md5 : credentials.sha256;
        if (auto set = ask_stemd(session, "PUT", "/v1/users/" + escaped(name) + "/credentials", body); !set) {
            return std::unexpected(set.error());
        }
    }
    return !all->empty();
}

// The user of that row, added if nobody is there.
struct Imported {
    std::string name;
    bool present = false;
};
Result<Imported> import_user(const Session& session, const sm::KamailioSubscriber& row,
                             const std::string& uri, const ImportOptions& options, Known& known) {
    if (const auto there = known.user_of_uri.find(uri); there != known.user_of_uri.end()) {
        return Imported{.name = there->second, .present = true};
    }
    // The same name in another domain is another person.
    std::string name = known.names.contains(row.username) ? row.username + "@" + row.domain : row.username;
    std::ranges::replace(name, '@', '.');
    if (const auto added = add_user(session, name, uri, options); !added) {
        return std::unexpected(added.error());
    }
    known.names.insert(name);
    known.user_of_uri.emplace(uri, name);
    return Imported{.name = name};
}

int import_users(const Session& session, const ImportOptions& options) {
    const auto address = sm::StoreAddress::parse(options.database);
    const auto rows = address ? sm::read_kamailio_subscribers(*address) : std::unexpected(address.error());
    auto known = rows ? known_users(session) : std::unexpected(rows.error());
    if (!known) {
        return session.failed(known.error());
    }
    Tally tally("subscriber");
    tally.read(rows->size());
    std::size_t with_password = 0;
    for (const auto& row : *rows) {
        const std::string whose = row.username + "@" + row.domain;
        const auto uri = uri_of(row.username, row.domain, options);
        if (!uri) {
            tally.failed(row.id, whose, uri.error());
            continue;
        }
        const auto user = import_user(session, row, *uri, options, *known);
        if (!user) {
            tally.failed(row.id, whose, user.error());
            continue;
        }
        user->present ? tally.present() : tally.added();
        const auto password = set_credentials(session, user->name, row, options, user->present);
        if (!password) {
            tally.failed(row.id, whose, password.error());
        } else if (*password) {
            ++with_password;
        }
    }
    return tally.finish(session,
                        fmt::format("{} brought their passwords, as hashes; the others have none here "
                                    "(stemctl user password sets one)",
                                    with_password));
}

Result<> set_location(const Session& session, const std::string& user, const sm::KamailioLocation& row) {
    const auto address = sm::address_of(row);
    if (!address) {
        return std::unexpected(address.error());
    }
    json::object location{{"address", address->to_string()}, {"contact", row.contact}};
    // Kamailio's -1: the phone gave none (usrloc, q.h: Q_UNSPECIFIED).
    const auto q = QValue::from_thousandths(std::lround(row.q * QValue::most));
    location["q"] = q.value_or(QValue()).to_string();
    if (row.expires) {
        location["expires_at"] = sm::to_timestamp(*row.expires);
    }
    const auto set = ask_stemd(session, "POST", "/v1/users/" + escaped(user) + "/locations", location);
    return set ? Result<>() : std::unexpected(set.error());
}

int import_locations(const Session& session, const ImportOptions& options) {
    const auto address = sm::StoreAddress::parse(options.database);
    const auto rows = address ? sm::read_kamailio_locations(*address) : std::unexpected(address.error());
    const auto known = rows ? known_users(session) : std::unexpected(rows.error());
    if (!known) {
        return session.failed(known.error());
    }
    Tally tally("location");
    tally.read(rows->size());
    const auto now = std::chrono::system_clock::now();
    for (const auto& row : *rows) {
        const std::string whose = row.username + "@" + row.domain;
        if (row.expires && *row.expires <= now) {
            tally.expired();
            continue;
        }
        const auto uri = uri_of(row.username, row.domain, options);
        if (!uri) {
            tally.failed(row.id, whose, uri.error());
            continue;
        }
        const auto user = known->user_of_uri.find(*uri);
        if (user == known->user_of_uri.end()) {
            tally.failed(row.id, whose,
                         Error{.attempt = "find the user of " + *uri,
                               .cause = "nobody has it",
                               .remedy = "stemctl user import first"});
            continue;
        }
        if (const auto set = set_location(session, user->second, row); !set) {
            tally.failed(row.id, whose, set.error());
            continue;
        }
        tally.added();
    }
    return tally.finish(session, "they hold until they expire, beside what is learned");
}

void add_options(CLI::App* command, const Options& options) {
    command->add_option("database", options->database, "Its SQLite file, or postgresql://USER@HOST/kamailio")
        ->required()
        ->type_name("DATABASE");
    command->add_option("--domain", options->domain, "Of rows that have none (Kamailio without use_domain)")
        ->type_name("DOMAIN");
}

} // namespace

void add_user_import_command(CLI::App& user, Session& session) {
    auto options = std::make_shared<ImportOptions>();
    auto* command =
        session.command(user, "import",
                        "Take over the users of a Kamailio: its table subscriber.\n"
                        "Each becomes a user with one URI; those that are there already stay as "
                        "they are, but for passwords that an import before could not set. Passwords come "
                        "along\nwhere Kamailio keeps them as hashes (ha1).",
                        "  stemctl user import /var/lib/kamailio/kamailio.db --profile office",
                        [&session, options] { return import_users(session, *options); });
    add_options(command, options);
    command->add_option("--profile", options->profile, "How calls to them are treated")->type_name("PROFILE");
}

void add_location_import_command(CLI::App& location, Session& session) {
    auto options = std::make_shared<ImportOptions>();
    auto* command = session.command(
        location, "import",
        "Take over where users' phones are from a Kamailio: its table location.\n"
        "For the time until phones have registered again through STEM.",
        "  stemctl location import /var/lib/kamailio/kamailio.db\n"
        "  stemctl location import 'postgresql://kamailio@db1/kamailio?passfile=/etc/stem/kamailio.pgpass'",
        [&session, options] { return import_locations(session, *options); });
    add_options(command, options);
}

} // namespace stem::stemctl
