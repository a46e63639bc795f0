// SPDX-License-Identifier: Apache-2.0
// The database in which the Security Manager keeps what it knows: a SQLite file, or PostgreSQL. Only the
// Directory uses it: it checks what is written, and reads all of it back once, at the start
// (docs/decisions/0006-security-manager-snapshot.md).
//
// A SQLite file is one process's at a time: a second open() of it is refused. A PostgreSQL database may be
// several Security Managers' (docs/decisions/0021-several-security-managers.md): then a change may fail with
// ESTALE, because another has changed what it was checked by, and is to be tried again after catch_up(); and
// with EAGAIN, when the database is lost. Not for use by several threads at once. Every failure names the
// database and what the statement was for.
#pragma once

#include "sm/model.h"
#include "sm/store_address.h"
#include "sm/store_backup.h"
#include "sm/store_change.h"

#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stem::sm {

// The newest schema that this build knows.
extern const int schema_version;

class Store {
  public:
    // Opens a file, or makes it with mode 0600, or connects; brings an older schema up to date. Fails on what
    // is no database, is damaged, belongs to something else, or is of a newer schema; on a file that is in
    // use; and on a server that cannot be reached within seconds.
    static Result<Store> open(const StoreAddress& address);
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
        std::vector<Limit> limits;
        std::vector<Block> blocks;
        std::vector<FirewallGroup> groups;
        std::vector<ThresholdChange> thresholds; // what is set
        std::int64_t threshold_version = 0;      // of the last change, a reset perhaps
        std::vector<std::pair<std::string, Credentials>> credentials = {}; // by user's name
        std::vector<Administrator> administrators = {};
    };
    // All that is stored, of one moment. Fails on a row that does not read, naming table and row.
    Result<Contents> load();

    // Of a shared database: what others have changed since load() and the last catch_up().
    struct News {
        bool everything = false;        // `contents` is all there is; else:
        std::set<std::string> users;    // to be replaced by what `contents` has of them, if anything
        std::set<std::string> located;  // the same for their locations alone
        std::set<std::string> profiles; // to be replaced, too
        bool spam = false;              // the list of all users
        bool thresholds = false;        // with the groups
        bool limits = false;            // with the blocks
        bool administrators = false;
        Contents contents;

        [[nodiscard]] bool empty() const {
            return !spam && !thresholds && !limits && !administrators && users.empty() && located.empty() &&
                   profiles.empty();
        }
    };
    // Where that is everything, it counts as lost: reading all of it takes too long for an event loop.
    Result<News> catch_up();
    // While it lives, no other Security Manager changes what a change of ours is checked by: for who was
    // overtaken, who would be again and again where others write much. They wait, and so does it for them.
    class Turn {
      public:
        explicit Turn(Store& store) : store_(store) { store_.lock_changes(true); }
        ~Turn() { store_.lock_changes(false); }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

      private:
        Store& store_;
    };
    [[nodiscard]] bool shared() const noexcept;
    [[nodiscard]] const std::string& name() const noexcept; // for people: StoreAddress::name()
    // Readable when there is word of changes, or when the connection is lost; -1: nothing to watch.
    [[nodiscard]] int descriptor() const;
    // Takes in what has come without waiting; true: catch_up() has something to read.
    bool heard();
    // For good: open another.
    [[nodiscard]] bool lost() const noexcept;
    [[nodiscard]] bool to_be_reread() const noexcept; // and that is why

    Result<> add_user(const User& user);
    // Display name, profile and bound of calls; URIs have verbs of their own.
    Result<> change_user(const User& user);
    Result<> remove_user(std::string_view name); // with all that is the user's alone
    Result<> add_uri(std::string_view user, std::string_view uri);
    Result<> remove_uri(std::string_view user, std::string_view uri);

    // One location per user, origin, uri and contact.
    Result<> put_location(std::string_view user, const Location& location);
    Result<> remove_locations(std::string_view user, std::span<const Location> locations);
    Result<> remove_expired(TimePoint now);

    Result<> add_profile(const Profile& profile);
    Result<> remove_profile(std::string_view name);
    Result<> set_fallback(std::string_view profile, const Treatment& fallback);
    Result<> set_max_calls(std::string_view profile, std::int64_t max_calls);
    Result<> replace_rules(std::string_view profile, std::span<const Rule> rules);

    Result<> add_spam(const SpamEntry& entry);
    // All of them, which are of one list, or none.
    Result<> add_spam(std::span<const SpamEntry> entries);
    Result<> remove_spam(const SpamEntry& entry);

    // In place of one with its key, where there is one.
    Result<> put_limit(const Limit& limit);
    Result<> remove_limit(std::string_view name);
    Result<> put_block(const Block& block);
    Result<> remove_block(std::string_view user);
    // Its firewalls leave the groups that they were in; without any the group is gone.
    Result<> put_group(const FirewallGroup& group);
    // One for each user name and realm, whoever's.
    Result<> put_credentials(std::string_view user, const Credentials& credentials);
    Result<> remove_credentials(std::string_view user, std::string_view username, std::string_view realm);
    Result<> put_administrator(const Administrator& administrator);
    Result<> remove_administrator(std::string_view name);

    // Of a shared store: tells the others what this Security Manager counts, and gives what each of them has
    // told within `counts_hold`, the newest last (sm/shared_counts.h).
    static constexpr std::chrono::seconds counts_hold{15};
    struct CallCountsRow {
        std::string counts;
        std::chrono::seconds age; // since it was told
    };
    Result<std::vector<CallCountsRow>> exchange_call_counts(const std::string& manager,
                                                            const std::string& counts);
    // The same of limits (sm/shared_usage.h), which holds by the times in it, and is told when it changes:
    // nullopt = it has not. Gives what others have told since `since`, and the database's clock.
    struct UsageRow {
        std::string manager;
        std::string usage;
    };
    struct UsageExchange {
        TimePoint clock;
        std::vector<UsageRow> others;
    };
    Result<UsageExchange> exchange_usage(const std::string& manager, const std::optional<std::string>& usage,
                                         TimePoint since);

    // Gives the version of the change; the given one is not looked at. A change without a value is a reset.
    Result<std::int64_t> add_threshold_change(const ThresholdChange& change);
    // Newest first; of the last thousand changes of all thresholds.
    Result<std::vector<ThresholdChange>> threshold_history(std::string_view name);

    // All that is stored, of one moment, as a document (sm/store_backup.h).
    Result<std::string> backup(TimePoint now);
    // In place of what is there; all or nothing. EEXIST where something is, and it is not to be replaced.
    // Gives what is there afterwards.
    Result<Contents> restore(const std::vector<BackupRow>& rows, bool replace);

    struct Session; // for the store*.cpp files

  private:
    explicit Store(std::unique_ptr<Session> session);
    void lock_changes(bool lock);
    static Result<> open_sqlite(Session& session, const std::string& file);
    static Result<> bring_up_to_date(Session& session);

    std::unique_ptr<Session> session_;
};

} // namespace stem::sm
