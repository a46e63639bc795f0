// SPDX-License-Identifier: Apache-2.0
// The Security Manager inside stemd.
#pragma once

#include <optional>

#include "ctl/stemd/decision_links.h"
#include "ctl/stemd/manager.h"
#include "ctl/stemd/threshold_sink.h"
#include "sm/directory.h"
#include "sm/store_follower.h"

namespace stem::stemd {

class EmbeddedManager final : public Manager {
  public:
    // `loop` must outlive it.
    static Result<std::unique_ptr<Manager>> open(boost::asio::io_context& loop,
                                                 const config::SecurityManager& settings,
                                                 const auth::Settings& authentication,
                                                 const config::Audit& audit, const kernel::Instance& instance,
                                                 const std::string& database);

    sm::Link& link() override { return *authenticating_; }
    api::Response answer(const api::Request& request) override;
    [[nodiscard]] boost::json::object status() const override;
    [[nodiscard]] Figures figures() const override;
    void every_second() override { admission_.tick(); }
    Result<> every_minute() override;
    Result<> reload() override;

  private:
    EmbeddedManager(std::unique_ptr<sm::Directory> directory, std::unique_ptr<sm::audit::Trail> trail,
                    const sm::Settings& policy);

    std::unique_ptr<sm::Directory> directory_;
    std::unique_ptr<sm::audit::Trail> trail_;
    sm::Admission admission_;
    sm::EmbeddedLink link_;
    std::unique_ptr<auth::Authenticator> authenticator_;
    std::optional<AuthenticatingLink> authenticating_;
    std::unique_ptr<ThresholdSink> thresholds_;
    std::optional<sm::StoreFollower> follower_;
};

} // namespace stem::stemd
