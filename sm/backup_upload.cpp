// SPDX-License-Identifier: Apache-2.0
#include "sm/backup_upload.h"

#include "sm/failure.h"
#include "sm/store_backup.h"

#include <fmt/format.h>

#include <utility>

namespace stem::sm {
namespace {

constexpr auto patience = std::chrono::minutes(2);

} // namespace

std::uint64_t BackupUpload::begin(TimePoint now) {
    id_ = ++last_;
    document_.clear();
    heard_ = now;
    return id_;
}

Result<> BackupUpload::check(std::uint64_t id) const {
    if (id == 0 || id != id_) {
        return not_found(fmt::format("take in part of backup {}", id), "no such upload is going on",
                         "begin anew: another was begun, or no part came for two minutes");
    }
    return {};
}

Result<std::size_t> BackupUpload::add(std::uint64_t id, std::string_view part, TimePoint now) {
    give_up_if_stale(now);
    if (auto good = check(id); !good) {
        return std::unexpected(good.error());
    }
    if (part.size() > max_backup - document_.size()) {
        give_up_if_stale(TimePoint::max());
        return std::unexpected(Error{.attempt = fmt::format("take in part of backup {}", id),
                                     .cause = fmt::format("more than {} octets", max_backup),
                                     .code = EMSGSIZE});
    }
    document_ += part;
    heard_ = now;
    return document_.size();
}

Result<std::string> BackupUpload::take(std::uint64_t id, TimePoint now) {
    give_up_if_stale(now);
    if (auto good = check(id); !good) {
        return std::unexpected(good.error());
    }
    id_ = 0;
    return std::exchange(document_, {});
}

void BackupUpload::give_up_if_stale(TimePoint now) {
    if (id_ != 0 && now - heard_ > patience) {
        id_ = 0;
        document_ = {};
    }
}

} // namespace stem::sm
