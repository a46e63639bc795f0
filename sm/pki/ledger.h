// SPDX-License-Identifier: Apache-2.0
// What an authority has issued and revoked: ledger.json in its folder. An entry stands there before its
// certificate is handed out, so that there is none that cannot be revoked.
#pragma once

#include "sm/pki/certificate.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stem::pki {

struct LedgerEntry {
    std::string serial;
    Identity identity;
    std::vector<std::string> hosts;
    TimePoint not_before;
    TimePoint not_after;
    std::optional<TimePoint> revoked_at;

    [[nodiscard]] bool valid(TimePoint now) const { return !revoked_at && now < not_after; }
};

struct Ledger {
    std::uint64_t crl_number = 0; // of the last revocation list
    std::vector<LedgerEntry> entries;

    static Result<Ledger> read(const std::filesystem::path& file);
    [[nodiscard]] Result<> write(const std::filesystem::path& file) const;
};

} // namespace stem::pki
