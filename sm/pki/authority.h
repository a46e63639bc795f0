// SPDX-License-Identifier: Apache-2.0
// A small certificate authority in a folder:
//
//   ca.crt  ca.crl           for everyone
//   ca.key  ledger.json      its own, mode 0600: keep the folder away from firewalls and Security Managers
//   issued/ROLE-NAME.crt     with ROLE-NAME.key, mode 0600: to be moved to where they are used
//
// Verbs of two processes at once wait for each other.
#pragma once

#include "sm/pki/ledger.h"
#include "sm/pki/revocation_list.h"

#include <stem/unique_fd.h>

#include <filesystem>

namespace stem::pki {

class Authority {
  public:
    struct Lifetimes {
        std::chrono::days certificate{397};
        std::chrono::days revocation_list{90}; // from then on it must have been made anew
    };

    // Makes the folder, key, certificate and an empty revocation list. Refuses a folder that has one.
    static Result<Authority> init(const std::filesystem::path& folder, const std::string& name,
                                  std::chrono::days lifetime, TimePoint now);
    static Result<Authority> open(const std::filesystem::path& folder);

    void set_lifetimes(const Lifetimes& lifetimes) { lifetimes_ = lifetimes; }

    struct Issued {
        LedgerEntry entry;
        std::filesystem::path certificate;
        std::filesystem::path key;
    };
    // A key and a certificate in `out` ("" = issued/ in the folder). Refuses an identity that has a valid
    // one.
    Result<Issued> issue(const Identity& identity, const std::vector<std::string>& hosts,
                         const std::filesystem::path& out, TimePoint now);
    // A new key and certificate for an identity that had one, with the same hosts. The former stays valid
    // until it expires, or is revoked at once with `revoke_former`.
    Result<Issued> renew(const Identity& identity, const std::filesystem::path& out, bool revoke_former,
                         TimePoint now);
    // All valid certificates of the identity; returns them.
    Result<std::vector<LedgerEntry>> revoke(const Identity& identity, TimePoint now);
    Result<LedgerEntry> revoke_serial(std::string_view serial, TimePoint now);
    // Writes ca.crl anew; returns until when it holds.
    Result<TimePoint> write_revocation_list(TimePoint now);

    [[nodiscard]] const std::vector<LedgerEntry>& entries() const noexcept { return ledger_.entries; }
    [[nodiscard]] const Certificate& certificate() const noexcept { return certificate_; }
    [[nodiscard]] std::filesystem::path revocation_list() const { return folder_ / "ca.crl"; }
    [[nodiscard]] std::filesystem::path certificate_file() const { return folder_ / "ca.crt"; }

  private:
    Authority(std::filesystem::path folder, UniqueFd lock, Key key, Certificate certificate, Ledger ledger)
        : folder_(std::move(folder)), lock_(std::move(lock)), key_(std::move(key)),
          certificate_(std::move(certificate)), ledger_(std::move(ledger)) {}

    Result<Issued> make(const Identity& identity, const std::vector<std::string>& hosts,
                        std::filesystem::path out, TimePoint now);
    [[nodiscard]] Result<> write_ledger() const;

    std::filesystem::path folder_;
    UniqueFd lock_;
    Key key_;
    Certificate certificate_;
    Ledger ledger_;
    Lifetimes lifetimes_;
};

} // namespace stem::pki
