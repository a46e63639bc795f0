// SPDX-License-Identifier: Apache-2.0
// Private keys: EC P-256, which every TLS 1.3 implementation has (RFC 8446 9.1).
#pragma once

#include "sm/pki/openssl.h"

#include <filesystem>

namespace stem::pki {

class Key {
  public:
    static Result<Key> generate();
    static Result<Key> from_pem(std::string_view pem, const std::string& what);
    // Only from a file with mode 0600 or less.
    static Result<Key> read(const std::filesystem::path& file);

    [[nodiscard]] Result<std::string> to_pem() const; // PKCS #8, not encrypted: for a file with mode 0600
    [[nodiscard]] EVP_PKEY* get() const noexcept { return key_.get(); }

  private:
    explicit Key(KeyPtr key) : key_(std::move(key)) {}
    KeyPtr key_;
};

} // namespace stem::pki
