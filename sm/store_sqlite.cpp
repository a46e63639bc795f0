// SPDX-License-Identifier: Apache-2.0
// Opening a SQLite file.
#include "sm/store_session.h"

#include <soci/sqlite3/soci-sqlite3.h>

#include <fcntl.h>
#include <sys/file.h>

namespace stem::sm {
namespace {

// A descriptor of the file, which is made if it is not there, with the lock that keeps other processes out.
Result<UniqueFd> claim(const std::string& file) {
    const std::string attempt = "open database " + file;
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) {
        return fail_errno(attempt, errno, "name a file in a folder that this user may write to");
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? fail(attempt, "another process has it open", "stop that one, or name another file")
                   : fail_errno(attempt);
    }
    return fd;
}

} // namespace

Result<> Store::open_sqlite(Session& session, const std::string& file) {
    const std::string attempt = "open database " + file;
    if (file.empty() || file.find('"') != std::string::npos) {
        return fail(attempt, "not a usable file name", "name a file without quotes in its name");
    }
    auto lock = claim(file);
    if (!lock) {
        return std::unexpected(lock.error());
    }
    session.lock = std::move(*lock);
    soci::session& sql = session.sql;
    sql.open(soci::sqlite3, "db=\"" + file + "\"");
    std::string found;
    // Someone may look at the file with SQLite's own tools: wait a moment, but never hold up calls for long.
    sql << "PRAGMA busy_timeout = 200", soci::into(found);
    sql << "PRAGMA quick_check(1)", soci::into(found);
    if (found != "ok") {
        return fail(attempt, "it is damaged: " + found,
                    "restore it from a backup, or move it away to begin anew");
    }
    sql << "PRAGMA journal_mode = WAL", soci::into(found);
    // In WAL mode this survives a crash of the process; a power cut may lose the last changes, not the file.
    sql << "PRAGMA synchronous = NORMAL";
    sql << "PRAGMA foreign_keys = ON";
    return {};
}

} // namespace stem::sm
