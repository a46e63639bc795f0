// SPDX-License-Identifier: Apache-2.0
// Digests by the hashes in the store. From memory, at once.
#pragma once

#include "sm/auth/backend.h"
#include "sm/directory.h"

namespace stem::auth {

class LocalBackend final : public Backend {
  public:
    // `directory` must outlive it.
    explicit LocalBackend(const sm::Directory& directory) : directory_(directory) {}

    [[nodiscard]] std::string_view name() const override { return "local"; }
    void verify(const Attempt& attempt, std::function<void(Answer)> done) override;
    void check_password(const std::string& username, const std::string& password,
                        std::function<void(Answer)> done) override;

  private:
    const sm::Directory& directory_;
};

} // namespace stem::auth
