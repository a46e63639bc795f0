// SPDX-License-Identifier: Apache-2.0
#include "sm/store_session.h"

#include <soci/postgresql/soci-postgresql.h>

#include <sys/socket.h>

#include <memory>

namespace stem::sm::postgresql {
namespace {

PGconn* connection(soci::session& sql) {
    // SOCI does not export the type's information for a dynamic cast.
    auto* const backend = static_cast<soci::postgresql_session_backend*>(sql.get_backend()); // NOLINT
    return backend == nullptr ? nullptr : backend->conn_;
}

} // namespace

Watchdog::Watchdog(int socket)
    : socket_(socket), thread_([this](const std::stop_token& stop) { run(stop); }) {
}

void Watchdog::arm(std::chrono::milliseconds patience) {
    const std::lock_guard lock(mutex_);
    deadline_ = std::chrono::steady_clock::now() + patience;
    changed_.notify_one();
}

void Watchdog::disarm() {
    const std::lock_guard lock(mutex_);
    deadline_.reset();
}

void Watchdog::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        if (!deadline_) {
            changed_.wait(lock, stop, [this] { return deadline_.has_value(); });
        } else if (std::chrono::steady_clock::now() >= *deadline_) {
            ::shutdown(socket_, SHUT_RDWR);
            deadline_.reset();
        } else {
            // Disarmed and armed again meanwhile: then there is a later deadline to wait for.
            changed_.wait_until(lock, stop, *deadline_, [] { return false; });
        }
    }
}

void open(soci::session& sql, const std::string& place) {
    sql.open(soci::postgresql, place);
    // Its notices ("table does not exist, skipping") would go to the standard error output.
    PQsetNoticeProcessor(connection(sql), [](void* /*context*/, const char* /*words*/) {}, nullptr);
}

bool is_lost(soci::session& sql) {
    PGconn* const found = connection(sql);
    return found == nullptr || PQstatus(found) != CONNECTION_OK;
}

int descriptor(soci::session& sql) {
    PGconn* const found = connection(sql);
    return found == nullptr ? -1 : PQsocket(found);
}

bool heard_of_changes(soci::session& sql) {
    PGconn* const found = connection(sql);
    // Where that fails, the connection's status says so from then on.
    static_cast<void>(PQconsumeInput(found));
    bool heard = false;
    while (true) {
        const std::unique_ptr<PGnotify, decltype(&PQfreemem)> word(PQnotifies(found), &PQfreemem);
        if (!word) {
            return heard;
        }
        heard = true;
    }
}

std::string state_of(const std::exception& thrown) {
    const auto* const error = dynamic_cast<const soci::postgresql_soci_error*>(&thrown);
    return error == nullptr ? std::string() : error->sqlstate();
}

} // namespace stem::sm::postgresql
