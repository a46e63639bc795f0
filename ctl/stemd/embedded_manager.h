// SPDX-License-Identifier: Apache-2.0
// The Security Manager inside stemd.
#pragma once

#include "ctl/stemd/manager.h"
#include "ctl/stemd/threshold_sink.h"
#include "sm/directory.h"
#include "sm/store_follower.h"

namespace stem::stemd {

class EmbeddedManager final : public Manager {
  public:
    // `loop` must outlive it.
    static Result<std::unique_ptr<Manager>> open(boost::asio::io_context& loop, const sm::Settings& policy,
                                                 const kernel::Instance& instance,
                                                 const std::string& database);

    sm::Link& link() override { return link_; }
    api::Response answer(const api::Request& request) override;
    [[nodiscard]] boost::json::object status() const override;
    [[nodiscard]] Figures figures() const override;
    Result<> every_minute() override;
    Result<> reload() override;

  private:
    EmbeddedManager(std::unique_ptr<sm::Directory> directory, const sm::Settings& policy)
        : directory_(std::move(directory)), decider_(*directory_, policy), link_(*directory_, policy) {}

    std::unique_ptr<sm::Directory> directory_;
    sm::Decider decider_;
    sm::EmbeddedLink link_;
    std::unique_ptr<ThresholdSink> thresholds_;
    std::optional<sm::StoreFollower> follower_;
};

} // namespace stem::stemd
