// SPDX-License-Identifier: Apache-2.0
// Which certificates are believed: those of one authority that are valid now, are for their purpose, and are
// not on its revocation list.
#pragma once

#include "sm/pki/certificate.h"

#include <filesystem>
#include <memory>
#include <string>

namespace stem::pki {

enum class Purpose : std::uint8_t { client, server }; // extended key usage

class Trust {
  public:
    // `crl` "" = without a list: nothing counts as revoked. A list that the authority did not sign, or that
    // is out of date, is refused.
    static Result<Trust> load(const std::filesystem::path& ca, const std::filesystem::path& crl);

    // Fails with the reason in OpenSSL's words: "certificate revoked".
    [[nodiscard]] Result<> verify(const Certificate& certificate, Purpose purpose) const;
    // Until when the revocation list holds; TimePoint::max() without one.
    [[nodiscard]] TimePoint list_holds_until() const noexcept { return list_holds_until_; }
    // For SSL_CTX_set1_cert_store().
    [[nodiscard]] X509_STORE* get() const noexcept { return store_.get(); }

  private:
    Trust(X509StorePtr store, TimePoint until) : store_(std::move(store)), list_holds_until_(until) {}
    X509StorePtr store_;
    TimePoint list_holds_until_;
};

} // namespace stem::pki
