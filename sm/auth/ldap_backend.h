// SPDX-License-Identifier: Apache-2.0
// Digests by hashes in a directory server's entries, and passwords by a bind as the user. On worker threads.
#pragma once

#include "sm/auth/backend.h"
#include "sm/auth/ldap_directory.h"
#include "sm/auth/workers.h"
#include "sm/directory.h"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <vector>

namespace stem::auth {

class LdapBackend final : public Backend {
  public:
    // `loop`, `directory` and `workers` must outlive it.
    static Result<std::unique_ptr<Backend>> create(boost::asio::io_context& loop,
                                                   const sm::Directory& directory, Workers& workers,
                                                   const Settings& settings);

    [[nodiscard]] std::string_view name() const override { return "ldap"; }
    void verify(const Attempt& attempt, std::function<void(Answer)> done) override;
    void check_password(const std::string& username, const std::string& password,
                        std::function<void(Answer)> done) override;

  private:
    LdapBackend(boost::asio::io_context& loop, const sm::Directory& directory, Workers& workers,
                const Settings& settings, const std::string& password);
    // `look` runs on a worker; what it finds is told on the event loop.
    void run(std::function<Answer(LdapDirectory&)> look, std::function<void(Answer)> done);
    [[nodiscard]] Answer of_ours(Answer answer) const;

    boost::asio::io_context& loop_;
    const sm::Directory& directory_;
    Workers& workers_;
    // One for each thread; shared with tasks, which may outlive this.
    std::shared_ptr<std::vector<std::unique_ptr<LdapDirectory>>> servers_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace stem::auth
