// SPDX-License-Identifier: Apache-2.0
// The SQLite file in which the Security Manager keeps what it knows. Only the Directory uses it: it checks
// what is written, and reads all of it back once, at the start
// (docs/decisions/0006-security-manager-snapshot.md).
//
// One process owns a file at a time: a second open() of it is refused. Not for use by several threads at
// once. Every failure names the file and what the statement was for.
#pragma once

#include "sm/model.h"

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stem::sm {

class Store {
  public:
    // Opens the file, or makes it with mode 0600; brings an older schema up to date. Fails on a file that is
    // no SQLite database, is damaged, belongs to something else, is of a newer schema, or is in use.
    static Result<Store> open(const std::filesystem::path& file);
    // Keeps nothing: every write succeeds without a trace. For a directory that is a copy.
    static Store none();
    Store(Store&&) noexcept;
    Store& operator=(Store&&) noexcept;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    ~Store();

    struct Contents {
        std::vector<Profile> profiles;
        std::vector<User> users;
        std::vector<std::pair<std::string, Location>> locations; // by user's name
        std::vector<SpamEntry> spam;
    };
    // All that is stored. Fails on a row that does not read, naming table and row.
    Result<Contents> load();

    Result<> add_user(const User& user);
    // Display name and profile; URIs have verbs of their own.
    Result<> change_user(const User& user);
    Result<> remove_user(std::string_view name); // with URIs, locations and spam list
    Result<> add_uri(std::string_view user, std::string_view uri);
    Result<> remove_uri(std::string_view uri);

    // One location per user, origin, uri and contact.
    Result<> put_location(std::string_view user, const Location& location);
    Result<> remove_locations(std::string_view user, std::span<const Location> locations);
    Result<> remove_expired(TimePoint now);

    Result<> add_profile(const Profile& profile);
    Result<> remove_profile(std::string_view name);
    Result<> set_fallback(std::string_view profile, const Treatment& fallback);
    Result<> replace_rules(std::string_view profile, std::span<const Rule> rules);

    Result<> add_spam(const SpamEntry& entry);
    Result<> remove_spam(const SpamEntry& entry);

    // Gives the version of the change; the given one is not looked at. A change without a value is a reset.
    Result<std::int64_t> add_threshold_change(const ThresholdChange& change);
    // Newest first; of the last thousand changes of all thresholds.
    Result<std::vector<ThresholdChange>> threshold_history(std::string_view name);
    // What is set; and behind that an entry without a value that bears the version of the last change.
    Result<std::vector<ThresholdChange>> load_thresholds();

  private:
    struct Session;
    explicit Store(std::unique_ptr<Session> session);

    std::unique_ptr<Session> session_;
};

} // namespace stem::sm
