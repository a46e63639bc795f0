// SPDX-License-Identifier: Apache-2.0
// All that the Security Manager knows, in memory, where decisions read it. A verb checks what it is given,
// writes it to the Store, and only then changes the memory: what a decision sees is what a restart will see,
// and a change counts from the next call on.
//
// Belongs to one event loop: not for several threads at once. Errors that the asker can mend carry ENOENT,
// EEXIST or EINVAL in their code (sm/failure.h); others come from the database.
#pragma once

#include "sm/backup_upload.h"
#include "sm/decision.h"
#include "sm/model.h"
#include "sm/pattern_set.h"
#include "sm/store.h"
#include "sm/string_map.h"
#include "sm/thresholds.h"

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace stem::sm {

// Learned locations kept for one user; one more pushes out the one that expires first.
inline constexpr std::size_t max_learned_locations = 32;

class Directory {
  public:
    // As Store::open(). Locations that expired before `now` are forgotten.
    static Result<std::unique_ptr<Directory>> open(const StoreAddress& address, TimePoint now);

    // Of what a Security Manager has said (sm/snapshot.h); keeps nothing.
    static std::unique_ptr<Directory> copy_of(Store::Contents contents);

    // What a decision needs of one user.
    struct Entry {
        User user;
        std::vector<Location> locations;
        PatternSet spam;
        std::vector<Credentials> credentials = {};
    };
    // By address of record; else by telephone number: of tel: URIs, and of sip: URIs whose user part is a
    // global number ("+49..."), whatever their host. A number that several users share without a tel: URI is
    // nobody's.
    [[nodiscard]] const Entry* find_callee(const AddressOfRecord& callee) const;
    [[nodiscard]] const Entry* find_user(std::string_view name) const;
    [[nodiscard]] const Profile* find_profile(std::string_view name) const;
    [[nodiscard]] const PatternSet& spam_of_all() const noexcept { return spam_of_all_; }

    // Users. A profile that is named must exist; URIs are sip:, sips: or tel:, each of one user only.
    Result<> add_user(User user);
    Result<> remove_user(std::string_view name);
    struct UserChange {
        std::optional<std::string> display_name;
        std::optional<std::string> profile;    // "" = none
        std::optional<std::int64_t> max_calls; // 0 = not bound
    };
    Result<> change_user(std::string_view name, const UserChange& change);
    [[nodiscard]] Result<User> user(std::string_view name) const;
    [[nodiscard]] std::vector<User> users() const; // by name
    Result<> add_uri(std::string_view user, std::string_view uri);
    Result<> remove_uri(std::string_view user, std::string_view uri);

    // Locations. `contact` "" = "sip:ADDRESS"; the same contact again replaces the address.
    Result<> set_location(std::string_view user, std::string_view contact, const Address& address,
                          std::optional<TimePoint> expires, QValue q = {});
    // All locations with that contact, learned and set; "" = all of the user. Returns how many; fails on none
    // with that contact.
    Result<std::size_t> remove_locations(std::string_view user, std::string_view contact);
    [[nodiscard]] Result<std::vector<Location>> locations(std::string_view user) const;
    enum class Learned { stored, removed, unknown_user };
    Result<Learned> learn(const Link::Binding& binding, TimePoint now);
    // Forgets what has expired; returns how many. Decisions pass over the expired without it.
    Result<std::size_t> expire(TimePoint now);

    // Profiles. Positions count from 1.
    Result<> add_profile(Profile profile);
    Result<> remove_profile(std::string_view name); // not while a user has it
    Result<> set_fallback(std::string_view profile, const Treatment& fallback);
    Result<> set_max_calls(std::string_view profile, std::int64_t max_calls); // 0 = not bound
    [[nodiscard]] Result<Profile> profile(std::string_view name) const;
    [[nodiscard]] std::vector<Profile> profiles() const; // by name
    // nullopt = behind the last.
    Result<std::size_t> add_rule(std::string_view profile, const Rule& rule,
                                 std::optional<std::size_t> position);
    Result<> replace_rule(std::string_view profile, std::size_t position, const Rule& rule);
    Result<> remove_rule(std::string_view profile, std::size_t position);
    Result<> move_rule(std::string_view profile, std::size_t from, std::size_t to);

    // Credentials (sm/directory_credentials.cpp). The same user name and realm again replaces what was there;
    // they are of one user only.
    Result<> set_credentials(std::string_view user, Credentials credentials);
    Result<> remove_credentials(std::string_view user, std::string_view username, std::string_view realm);
    [[nodiscard]] Result<std::vector<Credentials>> credentials(std::string_view user) const;
    struct Owned {
        const Entry* owner = nullptr; // null: nobody has them
        const Credentials* credentials = nullptr;
    };
    [[nodiscard]] Owned find_credentials(std::string_view username, std::string_view realm) const;

    // Administrators with passwords. `encoded`: as auth::hash_password() makes it.
    Result<> set_administrator(std::string_view name, std::string encoded);
    Result<> remove_administrator(std::string_view name);
    [[nodiscard]] const Administrator* find_administrator(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> administrators() const; // names, sorted

    [[nodiscard]] Thresholds& thresholds() noexcept { return thresholds_; }
    [[nodiscard]] const Thresholds& thresholds() const noexcept { return thresholds_; }

    // Spam lists. user "" = of all users.
    Result<> add_spam(SpamEntry entry);
    // All of one list (`user` "" = of all users), or none. Those that are on it already are passed over;
    // gives how many were added. Fails for an entry with its place in `entries`, from 0.
    struct SpamFault {
        std::size_t place;
        Error error;
    };
    std::expected<std::size_t, SpamFault> add_spam(std::string_view user, std::vector<SpamEntry> entries);
    Result<> remove_spam(const Pattern& caller, std::string_view user);
    // nullopt = each list, in the order of adding; "" = the list of all users.
    [[nodiscard]] std::vector<SpamEntry> spam(const std::optional<std::string>& user) const;

    // Limits of outgoing calls, and the users that they have blocked.
    [[nodiscard]] const std::map<std::string, Limit, std::less<>>& limits() const noexcept { return limits_; }
    Result<> put_limit(const Limit& limit); // in place of one of that name
    Result<> remove_limit(std::string_view name);
    [[nodiscard]] const std::map<std::string, Block, std::less<>>& blocks() const noexcept { return blocks_; }
    Result<> block(const Block& block); // in place of a former one
    Result<> unblock(std::string_view user);
    // What several Security Managers need that share a database (sm/store_follower.h). A verb may then fail
    // with ESTALE: catch_up(), and try again; settled() does. And with EAGAIN while the database is lost:
    // decisions go on, and what learn() and block() were told is kept here until it is back.
    [[nodiscard]] const Store& store() const noexcept { return store_; }
    bool heard() { return store_.heard(); }
    [[nodiscard]] Store::Turn turn() { return Store::Turn(store_); }
    // Takes over what the others have changed; true: something.
    Result<bool> catch_up();
    // Opened and read beside this one, in another thread perhaps, to replace a lost one.
    struct Fresh {
        Store store;
        Store::Contents contents;
    };
    static Result<Fresh> read(const StoreAddress& address, TimePoint now);
    void adopt(Fresh fresh);
    // Bindings and blocks that could not be written when they came: writes them; those that still cannot be
    // stay.
    void write_waiting(TimePoint now);
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); } // bindings
    [[nodiscard]] std::size_t waiting_blocks() const noexcept { return waiting_blocks_.size(); }

    // As Store::exchange_call_counts().
    Result<std::vector<Store::CallCountsRow>> exchange_call_counts(const std::string& manager,
                                                                   const std::string& counts) {
        return store_.exchange_call_counts(manager, counts);
    }
    Result<Store::UsageExchange> exchange_usage(const std::string& manager,
                                                const std::optional<std::string>& usage, TimePoint since) {
        return store_.exchange_usage(manager, usage, since);
    }

    // Backups (sm/store_backup.h).
    Result<std::string> backup(TimePoint now) { return store_.backup(now); }
    Result<BackupCounts> restore(std::string_view document, bool replace);
    [[nodiscard]] BackupUpload& upload() noexcept { return upload_; }

  private:
    explicit Directory(Store store) : store_(std::move(store)) {}

    void fill(Store::Contents contents);
    void refill(Store::Contents contents); // in place of all that was there
    void take_over(Store::News news);
    void drop_user(const std::string& name);
    void drop_spam(std::string_view user);
    Result<Learned> learn_once(const Link::Binding& binding, TimePoint now);
    void wait_with(const Link::Binding& binding, TimePoint now);
    void hold_waiting_blocks();
    void write_waiting_blocks(TimePoint now);
    void index_uri(const std::string& uri, const std::string& user);
    static std::string credentials_key(std::string_view username, std::string_view realm);
    void unindex_uri(const std::string& uri, const std::string& user);
    Result<std::string> free_uri(std::string_view uri) const;
    Result<> check_profile_of_user(std::string_view attempt, std::string_view profile) const;
    Result<Entry*> entry(std::string_view attempt, std::string_view name);
    Result<Profile*> writable_profile(std::string_view attempt, std::string_view name);
    Result<> write_rules(Profile& profile, std::vector<Rule> rules);
    Result<> forget(Entry& entry, const std::vector<Location>& gone);

    Store store_;
    Thresholds thresholds_{store_};
    StringMap<Entry> users_;
    StringMap<std::string> user_of_uri_;
    // Plain number -> names of the users with a sip: URI of it, one entry per URI.
    StringMap<std::vector<std::string>> users_of_number_;
    StringMap<std::string> user_of_credentials_; // by credentials_key()
    StringMap<Administrator> administrators_;
    StringMap<Profile> profiles_;
    PatternSet spam_of_all_;
    std::vector<SpamEntry> spam_; // all lists, for people
    std::map<std::string, Limit, std::less<>> limits_;
    std::map<std::string, Block, std::less<>> blocks_;
    struct Waiting {
        Link::Binding binding;
        TimePoint since;
    };
    BackupUpload upload_;
    bool memory_only_ = false; // learn(), while the database is lost
    // By address of record and contact; "" of one that removes all, which goes first.
    std::map<std::pair<std::string, std::string>, Waiting> waiting_;
    std::map<std::string, Block, std::less<>> waiting_blocks_; // by user; they are in blocks_, too
};

// A change of what several Security Managers may change: `verb` again where another was quicker, in its turn
// then. It gives a Result, or what has a member `overtaken`.
template<typename Verb>
auto settled(Directory& directory, Verb&& verb) -> decltype(verb()) {
    const auto overtaken = [](const auto& done) {
        if constexpr (requires { done.overtaken; }) {
            return done.overtaken;
        } else {
            return !done && done.error().code == ESTALE;
        }
    };
    auto done = verb();
    if (!overtaken(done)) {
        return done;
    }
    const auto turn = directory.turn();
    // More than once only where its user was taken away while a location was written.
    constexpr int most_tries = 4;
    for (int tries = 1; tries < most_tries && overtaken(done); ++tries) {
        // If that cannot be read, the change cannot be written either, and says so.
        static_cast<void>(directory.catch_up());
        done = verb();
    }
    return done;
}

} // namespace stem::sm
