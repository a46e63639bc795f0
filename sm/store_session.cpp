// SPDX-License-Identifier: Apache-2.0
#include "sm/store_session.h"

namespace stem::sm {
namespace {

using soci::into;
using soci::use;

// Changes are kept so long that a Security Manager that was away for a moment finds them; behind that it
// reads everything anew.
constexpr std::int64_t changes_kept = 10000;
constexpr std::int64_t cleared_each = 256;

// Of PostgreSQL's advisory locks, which are of one database: who holds it makes a change that is checked by
// others. Who waits for it is served in the order of coming.
constexpr int turn_lock = 0x5354454e;

// SQLSTATE (PostgreSQL 15, appendix A)
constexpr std::string_view constraint_class = "23";
constexpr std::string_view serialization_failure = "40001";
constexpr std::string_view deadlock = "40P01";
constexpr std::string_view lock_not_available = "55P03";
constexpr std::string_view query_canceled = "57014";
constexpr std::string_view read_only = "25006";

bool is_overtaken(const std::exception& thrown, std::string_view state) {
    return dynamic_cast<const Overtaken*>(&thrown) != nullptr || state.starts_with(constraint_class) ||
           state == serialization_failure || state == deadlock;
}

} // namespace

std::string words_of(const std::exception& thrown) {
    const auto* const error = dynamic_cast<const soci::soci_error*>(&thrown);
    std::string words = error == nullptr ? thrown.what() : error->get_error_message();
    while (!words.empty() && (words.back() == '\n' || words.back() == ' ')) {
        words.pop_back();
    }
    for (char& c : words) {
        c = c == '\n' ? ' ' : c;
    }
    return words;
}

Error Store::Session::away(std::string_view purpose) const {
    return {.attempt = fmt::format("database {}: {}", name, purpose),
            .cause = reread ? "it is read anew just now" : "the connection to it is lost",
            .remedy = "calls are decided from memory meanwhile; try again when the database is back",
            .code = EAGAIN};
}

Error Store::Session::failure(std::string_view purpose, const std::exception& thrown) {
    Error error{.attempt = fmt::format("database {}: {}", name, purpose), .cause = words_of(thrown)};
    if (dynamic_cast<const NotEmpty*>(&thrown) != nullptr) {
        error.code = EEXIST;
        error.remedy = "say that it is to be replaced (--replace), after a backup of what is there";
        return error;
    }
    if (dynamic_cast<const BadDocument*>(&thrown) != nullptr && !(shared() && postgresql::is_lost(sql))) {
        error.code = EINVAL;
        error.remedy = "nothing was changed; was the backup made by another build, or edited?";
        return error;
    }
    if (dynamic_cast<const BadRow*>(&thrown) != nullptr) {
        error.remedy =
            shared() ? "mend the row with psql, or remove it" : "mend the row with sqlite3, or remove it";
        return error;
    }
    if (!shared()) {
        error.remedy = "look at the file's rights and the space on its disk";
        return error;
    }
    const std::string state = postgresql::state_of(thrown);
    // One that makes each change wait for seconds, and calls behind it, is as bad as none.
    const bool slow = state == lock_not_available || state == query_canceled;
    if (slow || postgresql::is_lost(sql)) {
        lost = true;
        return away(slow ? fmt::format("{}: {}", purpose, error.cause) : std::string(purpose));
    }
    if (is_overtaken(thrown, state)) {
        error.code = ESTALE;
        error.remedy = "look at it again, and then try again";
    } else if (state == read_only) {
        error.code = EAGAIN;
        error.remedy =
            "it is a standby: name the primary, or several hosts with target_session_attrs=read-write";
    } else {
        error.remedy = "look at PostgreSQL's log";
    }
    return error;
}

std::int64_t Store::Session::begin_change(const StoreChange& change) {
    if (!shared()) {
        return seen + 1;
    }
    // The row is the lock: who writes waits here until the one before has committed, so that revisions are
    // seen in their order. What the change was checked by must be all that there is; but for locations, which
    // are checked by nothing but their user's being there.
    std::int64_t revision = 0;
    if (change.kind == StoreChange::Kind::locations) {
        sql << "UPDATE store_state SET revision = revision + 1 RETURNING revision", into(revision);
    } else {
        int taken = 0;
        sql << fmt::format("SELECT count(pg_advisory_xact_lock({}))", turn_lock), into(taken);
        sql << "UPDATE store_state SET revision = revision + 1, checked_revision = revision + 1 "
               "WHERE checked_revision <= :seen RETURNING revision",
            into(revision), use(seen);
    }
    if (!sql.got_data()) {
        throw Overtaken();
    }
    const std::string kind(name_of(change.kind));
    long long told = 0;
    sql << "WITH noted AS (INSERT INTO store_changes (revision, kind, name) VALUES (:revision, :kind, :name) "
           "RETURNING revision) SELECT count(pg_notify('stem_store', '')) FROM noted",
        into(told), use(revision), use(kind), use(change.name);
    if (revision % cleared_each == 0) {
        const std::int64_t oldest = revision - changes_kept;
        sql << "DELETE FROM store_changes WHERE revision <= :oldest", use(oldest);
    }
    return revision;
}

// Where it cannot be had, the change that follows fails and says why.
void Store::lock_changes(bool lock) {
    if (!shared()) {
        return;
    }
    static_cast<void>(session_->read("wait for its turn", [&] {
        int done = 0;
        session_->sql << fmt::format("SELECT count({}({}))", lock ? "pg_advisory_lock" : "pg_advisory_unlock",
                                     turn_lock),
            into(done);
    }));
}

std::string_view name_of(StoreChange::Kind kind) {
    switch (kind) {
#define STEM_STORE_CHANGE(kind, what)                                                                        \
    case StoreChange::Kind::kind:                                                                            \
        return #kind;
        STEM_STORE_CHANGES(STEM_STORE_CHANGE)
#undef STEM_STORE_CHANGE
    }
    return "everything";
}

StoreChange::Kind change_kind_from(std::string_view name) {
#define STEM_STORE_CHANGE(kind, what)                                                                        \
    if (name == #kind) {                                                                                     \
        return StoreChange::Kind::kind;                                                                      \
    }
    STEM_STORE_CHANGES(STEM_STORE_CHANGE)
#undef STEM_STORE_CHANGE
    return StoreChange::Kind::everything;
}

} // namespace stem::sm
