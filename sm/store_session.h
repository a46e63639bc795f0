// SPDX-License-Identifier: Apache-2.0
// The open database inside a Store, and the border where SOCI's exceptions become errors.
#pragma once

#include "sm/store.h"

#include <stem/unique_fd.h>

#include <fmt/format.h>
#include <soci/soci.h>

#include <cstdint>
#include <exception>

namespace stem::sm {

struct Store::Session {
    Session(std::string path, UniqueFd held) : file(std::move(path)), lock(std::move(held)) {}

    std::string file;
    // Holds the lock. Closed last: closing any descriptor of the file drops SQLite's own locks on it.
    UniqueFd lock;
    soci::session sql;

    [[nodiscard]] bool keeps() const noexcept { return static_cast<bool>(lock); }

    [[nodiscard]] std::unexpected<Error> failure(std::string_view purpose, std::string cause) const {
        return fail(fmt::format("database {}: {}", file, purpose), std::move(cause),
                    "look at the file's rights and the space on its disk");
    }

    // Runs `work`, which may throw what SOCI throws. `purpose`: "add user alice".
    template<typename Work>
    Result<> attempt(std::string_view purpose, Work&& work) {
        if (!keeps()) {
            return {};
        }
        try {
            work();
            return {};
        } catch (const soci::soci_error& error) {
            return failure(purpose, error.get_error_message());
        } catch (const std::exception& error) {
            return failure(purpose, error.what());
        }
    }
};

inline std::int64_t unix_seconds(TimePoint at) {
    return std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
}

// The newest schema that this build knows; PRAGMA user_version of the file.
inline constexpr int schema_version = 3;

// Makes an empty database ours, brings an older one up to date, refuses all else.
Result<> bring_up_to_date(soci::session& sql, const std::string& file);

} // namespace stem::sm
