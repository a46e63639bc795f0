// SPDX-License-Identifier: Apache-2.0
// Certificate revocation lists (RFC 5280 5).
#pragma once

#include "sm/pki/certificate.h"

#include <cstdint>
#include <vector>

namespace stem::pki {

class RevocationList {
  public:
    explicit RevocationList(X509CrlPtr list) : list_(std::move(list)) {}
    static Result<RevocationList> from_pem(std::string_view pem, const std::string& what);

    [[nodiscard]] Result<std::string> to_pem() const;
    [[nodiscard]] TimePoint next_update() const; // from then on nobody believes it
    [[nodiscard]] bool signed_by(const Certificate& authority) const;
    [[nodiscard]] X509_CRL* get() const noexcept { return list_.get(); }

  private:
    X509CrlPtr list_;
};

struct Revoked {
    std::string serial; // hexadecimal
    TimePoint at;
};

Result<RevocationList> make_revocation_list(std::uint64_t number, const std::vector<Revoked>& revoked,
                                            const Validity& validity, const Certificate& authority,
                                            const Key& authority_key);

} // namespace stem::pki
