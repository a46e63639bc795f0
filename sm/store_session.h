// SPDX-License-Identifier: Apache-2.0
// The open database inside a Store, and the border where SOCI's exceptions become errors. For the store*.cpp
// files only.
//
// A verb of the Store reads by Session::read() and writes by Session::write(), which wraps it in a
// transaction, numbers it, and tells the other Security Managers of a shared store what to read again. One
// text of each statement serves both databases: no "ifnull" but "coalesce", no word that is reserved in one
// of them, numbers as BIGINT.
#pragma once

#include "sm/failure.h"
#include "sm/store.h"

#include <stem/unique_fd.h>

#include <fmt/format.h>
#include <soci/soci.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>

namespace stem::sm {

// What only PostgreSQL has.
namespace postgresql {
// Ends the wait for a server that hangs without closing anything, which libpq does not bound: shuts the
// socket down.
class Watchdog {
  public:
    explicit Watchdog(int socket);
    void arm(std::chrono::milliseconds patience);
    void disarm();

  private:
    void run(const std::stop_token& stop);

    int socket_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::optional<std::chrono::steady_clock::time_point> deadline_;
    std::jthread thread_;
};

class Watch {
  public:
    Watch(Watchdog* watchdog, std::chrono::milliseconds patience) : watchdog_(watchdog) {
        if (watchdog_ != nullptr) {
            watchdog_->arm(patience);
        }
    }
    ~Watch() {
        if (watchdog_ != nullptr) {
            watchdog_->disarm();
        }
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

  private:
    Watchdog* watchdog_;
};

void open(soci::session& sql, const std::string& place);
[[nodiscard]] bool is_lost(soci::session& sql);
[[nodiscard]] int descriptor(soci::session& sql); // -1: none
// Takes in what has come without waiting; true: there was word of a change.
[[nodiscard]] bool heard_of_changes(soci::session& sql);
// SQLSTATE (PostgreSQL 15, appendix A), "" for another exception.
[[nodiscard]] std::string state_of(const std::exception& thrown);
} // namespace postgresql

struct Store::Session {
    enum class Dialect : std::uint8_t { none, sqlite, postgresql };
    static constexpr std::chrono::milliseconds usual_patience{2500};

    Session(Dialect kind, std::string called) : dialect(kind), name(std::move(called)) {}

    Dialect dialect;
    std::string name; // for people
    // SQLite: holds the lock. Closed last: closing any descriptor of the file drops SQLite's own locks on it.
    UniqueFd lock;
    soci::session sql;
    // PostgreSQL: all changes up to this one are in the memory of who uses the Store.
    std::int64_t seen = 0;
    bool lost = false;   // PostgreSQL: the connection is gone for good
    bool reread = false; // and that because everything is to be read anew
    std::unique_ptr<postgresql::Watchdog> watchdog;

    [[nodiscard]] bool keeps() const noexcept { return dialect != Dialect::none; }
    [[nodiscard]] bool shared() const noexcept { return dialect == Dialect::postgresql; }

    // What is thrown, as an error. `purpose`: "add user alice".
    [[nodiscard]] Error failure(std::string_view purpose, const std::exception& thrown);

    // Runs `work`, which may throw what SOCI throws. A server that has not answered all of it in time counts
    // as lost: calls wait meanwhile.
    template<typename Work>
    Result<> read(std::string_view purpose, Work&& work,
                  std::chrono::milliseconds patience = usual_patience) {
        if (!keeps()) {
            return {};
        }
        if (lost) {
            return std::unexpected(away(purpose));
        }
        try {
            const postgresql::Watch watched(watchdog.get(), patience);
            work();
            return {};
        } catch (const std::exception& thrown) {
            return std::unexpected(failure(purpose, thrown));
        }
    }

    // The same in a transaction, of which `change` tells the others.
    template<typename Work>
    Result<> write(std::string_view purpose, const StoreChange& change, Work&& work,
                   std::chrono::milliseconds patience = usual_patience) {
        return read(
            purpose,
            [&] {
                soci::transaction whole(sql);
                const std::int64_t revision = begin_change(change);
                work();
                whole.commit();
                // Between, others may have changed what we have not read: then it is not all seen.
                seen = revision == seen + 1 ? revision : seen;
            },
            patience);
    }

    [[nodiscard]] Error away(std::string_view purpose) const;

  private:
    // Takes the lock under which changes of a shared store are numbered, and notes this one.
    std::int64_t begin_change(const StoreChange& change);
};

// A value for a column that may be NULL.
template<typename T>
struct Nullable {
    T value{};
    soci::indicator indicator = soci::i_null;

    Nullable() = default;
    Nullable(T set, bool present) : value(std::move(set)), indicator(present ? soci::i_ok : soci::i_null) {}
    [[nodiscard]] bool present() const { return indicator == soci::i_ok; }
};

// Others have changed what the memory, by which a change was checked, does not have: caught in failure(),
// which makes ESTALE of it.
class Overtaken : public std::runtime_error {
  public:
    Overtaken() : std::runtime_error("another Security Manager has changed it meanwhile") {}
};

// A row that cannot be read: someone has edited it by hand. Caught in failure(), never seen outside.
class BadRow : public std::runtime_error {
  public:
    BadRow(std::string_view table, std::string_view row, const Error& error)
        : std::runtime_error(fmt::format("table {}, row {}: {}", table, row, error.message())) {}
};

// A backup that cannot be taken in, and a store that is not to be replaced: EINVAL and EEXIST.
class BadDocument : public std::runtime_error {
    using std::runtime_error::runtime_error;
};
class NotEmpty : public std::runtime_error {
  public:
    NotEmpty() : std::runtime_error("it is not empty") {}
};

// SOCI's words in one line, without the statement, of which people know nothing.
std::string words_of(const std::exception& thrown);

inline std::int64_t unix_seconds(TimePoint at) {
    return std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
}

// All there is. BadRow, where it cannot be read.
Store::Contents load_all(soci::session& sql);
// Makes the transaction see one moment of a shared database, whatever others write meanwhile.
void begin_moment(soci::session& sql);
// For load_all() and Store::catch_up().
void load_thresholds(soci::session& sql, Store::Contents& contents);

} // namespace stem::sm
