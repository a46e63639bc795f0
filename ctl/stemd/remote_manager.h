// SPDX-License-Identifier: Apache-2.0
// Security Managers elsewhere: their thresholds go into the kernel, their denials into the deny list.
#pragma once

#include "ctl/kernel/deny_list.h"
#include "ctl/stemd/manager.h"
#include "ctl/stemd/threshold_sink.h"

namespace stem::stemd {

class RemoteManager final : public Manager {
  public:
    static Result<std::unique_ptr<Manager>> open(boost::asio::io_context& loop, const config::Config& config,
                                                 const kernel::Instance& instance);

    sm::Link& link() override { return *link_; }
    api::Response answer(const api::Request& request) override;
    [[nodiscard]] boost::json::object status() const override;
    [[nodiscard]] Figures figures() const override;
    Result<> reload() override;

  private:
    RemoteManager(ThresholdWriter thresholds, kernel::DenyList deny)
        : thresholds_(std::move(thresholds)), deny_(std::move(deny)) {}
    Result<> take_thresholds(const channel::ThresholdsPush& push);
    Result<> deny(const channel::DenyInstruction& instruction);

    ThresholdWriter thresholds_;
    kernel::DenyList deny_;
    std::unique_ptr<smlink::RemoteLink> link_;
};

} // namespace stem::stemd
