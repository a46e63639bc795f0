// SPDX-License-Identifier: Apache-2.0
// Digests and passwords judged by RADIUS servers, over UDP. Nothing in it blocks: it lives on the event loop.
//
// The servers are asked in turn; a request is repeated once to each. What comes late is still told to `done`
// of its request, if nothing else was.
#pragma once

#include "sm/auth/backend.h"
#include "sm/auth/radius_packet.h"
#include "sm/auth/settings.h"
#include "sm/directory.h"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <vector>

namespace stem::auth {

class RadiusBackend final : public Backend {
  public:
    // `loop` and `directory` must outlive it. Fails on servers that cannot be used, and on a secret file that
    // others may read.
    static Result<std::unique_ptr<Backend>> create(boost::asio::io_context& loop,
                                                   const sm::Directory& directory, const Settings& settings);
    ~RadiusBackend() override;

    [[nodiscard]] std::string_view name() const override { return "radius"; }
    void verify(const Attempt& attempt, std::function<void(Answer)> done) override;
    void check_password(const std::string& username, const std::string& password,
                        std::function<void(Answer)> done) override;

  private:
    class Server;
    struct Exchange;

    RadiusBackend(boost::asio::io_context& loop, const sm::Directory& directory, const Settings& settings,
                  std::string secret);
    void ask(const std::shared_ptr<Exchange>& exchange, std::size_t which);
    void told(const std::shared_ptr<Exchange>& exchange, radius::Code code);
    void give_up(const std::shared_ptr<Exchange>& exchange, std::string why);

    boost::asio::io_context& loop_;
    const sm::Directory& directory_;
    radius::DigestForm form_;
    bool must_be_signed_;
    std::chrono::milliseconds timeout_;
    std::string secret_;
    std::vector<std::unique_ptr<Server>> servers_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace stem::auth
