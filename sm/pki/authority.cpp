// SPDX-License-Identifier: Apache-2.0
#include "sm/pki/authority.h"

#include "sm/pki/file.h"

#include <fcntl.h>
#include <sys/file.h>

#include <fmt/format.h>

#include <algorithm>

namespace stem::pki {
namespace {

// A peer whose clock is behind takes a new certificate, too.
constexpr std::chrono::minutes backdated{5};
constexpr std::size_t longest_common_name = 64; // RFC 5280, ub-common-name

Result<> make_folder(const std::filesystem::path& folder) {
    std::error_code error;
    const bool made = std::filesystem::create_directories(folder, error);
    if (!error && made) {
        std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
    }
    return error ? fail_errno("make folder " + folder.string(), error.value()) : Result<>();
}

Result<UniqueFd> lock_folder(const std::filesystem::path& folder) {
    UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) {
        return fail_errno("open authority " + folder.string(), errno,
                          "make one with stemctl pki init, or name another folder with --dir");
    }
    if (::flock(fd.get(), LOCK_EX) != 0) {
        return fail_errno("lock authority " + folder.string());
    }
    return fd;
}

Error unknown_identity(std::string_view verb, const Identity& identity) {
    return {.attempt = fmt::format("{} the certificate of {}", verb, identity.text()),
            .cause = "there is no such certificate that is valid",
            .remedy = "stemctl pki list shows what was issued"};
}

} // namespace

Result<Authority> Authority::init(const std::filesystem::path& folder, const std::string& name,
                                  std::chrono::days lifetime, TimePoint now) {
    if (name.empty() || name.size() > longest_common_name) {
        return fail(fmt::format("make authority '{}'", name.substr(0, 80)), "not a usable name",
                    "take 1 to 64 octets");
    }
    for (const auto& needed : {folder, folder / "issued"}) {
        if (auto made = make_folder(needed); !made) {
            return std::unexpected(made.error());
        }
    }
    auto lock = lock_folder(folder);
    if (!lock) {
        return std::unexpected(lock.error());
    }
    for (const char* file : {"ca.key", "ca.crt", "ledger.json"}) {
        if (std::filesystem::exists(folder / file)) {
            return fail("make authority in " + folder.string(), fmt::format("there is a {} already", file),
                        "name another folder with --dir; an authority that is replaced makes all its "
                        "certificates void");
        }
    }
    auto key = Key::generate();
    auto pem = key ? key->to_pem() : std::unexpected(key.error());
    if (!pem) {
        return std::unexpected(pem.error());
    }
    auto certificate = make_authority(name, *key, {.from = now - backdated, .to = now + lifetime});
    auto text = certificate ? certificate->to_pem() : std::unexpected(certificate.error());
    if (!text) {
        return std::unexpected(text.error());
    }
    Authority authority(folder, std::move(*lock), std::move(*key), std::move(*certificate), {});
    // The certificate last: an authority that has one is whole.
    if (auto done = write_file(folder / "ca.key", *pem, secret_mode); !done) {
        return std::unexpected(done.error());
    }
    if (auto done = authority.write_revocation_list(now); !done) {
        return std::unexpected(done.error());
    }
    if (auto done = write_file(authority.certificate_file(), *text, public_mode); !done) {
        return std::unexpected(done.error());
    }
    return authority;
}

Result<Authority> Authority::open(const std::filesystem::path& folder) {
    auto lock = lock_folder(folder);
    if (!lock) {
        return std::unexpected(lock.error());
    }
    auto certificate = Certificate::read(folder / "ca.crt");
    if (!certificate) {
        Error error = certificate.error();
        if (error.code == ENOENT) {
            error.remedy = "make one with stemctl pki init, or name another folder with --dir";
        }
        return std::unexpected(std::move(error));
    }
    auto key = Key::read(folder / "ca.key");
    if (!key) {
        return std::unexpected(key.error());
    }
    if (!certificate->belongs_to(*key)) {
        return fail("open authority " + folder.string(), "ca.key is not the key of ca.crt",
                    "restore both from one backup");
    }
    auto ledger = Ledger::read(folder / "ledger.json");
    if (!ledger) {
        return std::unexpected(ledger.error());
    }
    return Authority(folder, std::move(*lock), std::move(*key), std::move(*certificate), std::move(*ledger));
}

Result<> Authority::write_ledger() const {
    return ledger_.write(folder_ / "ledger.json");
}

Result<Authority::Issued> Authority::make(const Identity& identity, const std::vector<std::string>& hosts,
                                          std::filesystem::path out, TimePoint now) {
    if (auto good = check_identity_name(identity.name); !good) {
        return std::unexpected(good.error());
    }
    if (!hosts.empty() && identity.role != Role::server) {
        return fail("issue a certificate for " + identity.text(), "only a server's has hosts",
                    "leave --host away");
    }
    const Validity validity{.from = now - backdated,
                            .to = std::min(now + lifetimes_.certificate, certificate_.not_after())};
    if (validity.to <= now) {
        return fail("issue a certificate for " + identity.text(), "the authority itself has expired",
                    "make a new one with stemctl pki init");
    }
    auto key = Key::generate();
    auto secret = key ? key->to_pem() : std::unexpected(key.error());
    if (!secret) {
        return std::unexpected(secret.error());
    }
    auto certificate = make_certificate({identity, validity, hosts}, *key, certificate_, key_);
    auto text = certificate ? certificate->to_pem() : std::unexpected(certificate.error());
    if (!text) {
        return std::unexpected(text.error());
    }
    if (out.empty()) {
        out = folder_ / "issued";
    }
    if (auto made = make_folder(out); !made) {
        return std::unexpected(made.error());
    }
    ledger_.entries.push_back({.serial = certificate->serial(),
                               .identity = identity,
                               .hosts = hosts,
                               .not_before = validity.from,
                               .not_after = certificate->not_after()});
    if (auto written = write_ledger(); !written) {
        ledger_.entries.pop_back();
        return std::unexpected(written.error());
    }
    const std::string stem = fmt::format("{}-{}", label_of(identity.role), identity.name);
    Issued issued{ledger_.entries.back(), out / (stem + ".crt"), out / (stem + ".key")};
    auto written = write_file(issued.key, *secret, secret_mode);
    if (written) {
        written = write_file(issued.certificate, *text, public_mode);
    }
    return written ? Result<Issued>(std::move(issued)) : std::unexpected(written.error());
}

Result<Authority::Issued> Authority::issue(const Identity& identity, const std::vector<std::string>& hosts,
                                           const std::filesystem::path& out, TimePoint now) {
    const auto there = std::ranges::find_if(ledger_.entries, [&](const LedgerEntry& entry) {
        return entry.identity == identity && entry.valid(now);
    });
    if (there != ledger_.entries.end()) {
        return fail("issue a certificate for " + identity.text(),
                    "it has a valid one, serial number " + there->serial,
                    "renew or revoke that one (stemctl pki renew, stemctl pki revoke)");
    }
    return make(identity, hosts, out, now);
}

Result<Authority::Issued> Authority::renew(const Identity& identity, const std::filesystem::path& out,
                                           bool revoke_former, TimePoint now) {
    const auto there =
        std::ranges::find_if(ledger_.entries.rbegin(), ledger_.entries.rend(), [&](const LedgerEntry& entry) {
            return entry.identity == identity && !entry.revoked_at;
        });
    if (there == ledger_.entries.rend()) {
        Error error = unknown_identity("renew", identity);
        error.cause = "there is none that was not revoked";
        error.remedy = "issue one with stemctl pki issue";
        return std::unexpected(std::move(error));
    }
    const auto hosts = there->hosts;
    const std::size_t former = ledger_.entries.size();
    auto issued = make(identity, hosts, out, now);
    if (!issued || !revoke_former) {
        return issued;
    }
    for (std::size_t i = 0; i < former; ++i) {
        auto& entry = ledger_.entries[i];
        if (entry.identity == identity && entry.valid(now)) {
            entry.revoked_at = now;
        }
    }
    const auto listed = write_revocation_list(now);
    return listed ? std::move(issued) : std::unexpected(listed.error());
}

Result<std::vector<LedgerEntry>> Authority::revoke(const Identity& identity, TimePoint now) {
    std::vector<LedgerEntry> revoked;
    for (auto& entry : ledger_.entries) {
        if (entry.identity == identity && entry.valid(now)) {
            entry.revoked_at = now;
            revoked.push_back(entry);
        }
    }
    if (revoked.empty()) {
        return std::unexpected(unknown_identity("revoke", identity));
    }
    const auto listed = write_revocation_list(now);
    return listed ? Result<std::vector<LedgerEntry>>(std::move(revoked)) : std::unexpected(listed.error());
}

Result<LedgerEntry> Authority::revoke_serial(std::string_view serial, TimePoint now) {
    const auto found = std::ranges::find(ledger_.entries, serial, &LedgerEntry::serial);
    const std::string attempt = fmt::format("revoke certificate {}", serial.substr(0, 80));
    if (found == ledger_.entries.end()) {
        return fail(attempt, "there is none of that serial number", "stemctl pki list shows what was issued");
    }
    if (found->revoked_at) {
        return fail(attempt, "it was revoked before");
    }
    found->revoked_at = now;
    const auto listed = write_revocation_list(now);
    return listed ? Result<LedgerEntry>(*found) : std::unexpected(listed.error());
}

// The ledger first: a list can be made again from it.
Result<TimePoint> Authority::write_revocation_list(TimePoint now) {
    ++ledger_.crl_number;
    if (auto written = write_ledger(); !written) {
        return std::unexpected(written.error());
    }
    std::vector<Revoked> revoked;
    for (const auto& entry : ledger_.entries) {
        if (entry.revoked_at && now < entry.not_after) {
            revoked.push_back({entry.serial, *entry.revoked_at});
        }
    }
    const Validity validity{.from = now - backdated, .to = now + lifetimes_.revocation_list};
    const auto list = make_revocation_list(ledger_.crl_number, revoked, validity, certificate_, key_);
    const auto text = list ? list->to_pem() : std::unexpected(list.error());
    if (!text) {
        return std::unexpected(text.error());
    }
    if (auto written = write_file(revocation_list(), *text, public_mode); !written) {
        return std::unexpected(written.error());
    }
    return validity.to;
}

} // namespace stem::pki
