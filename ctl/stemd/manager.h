// SPDX-License-Identifier: Apache-2.0
// The Security Manager as stemd has it: in this process, or at the other end of a control channel.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>

#include <memory>
#include <optional>
#include <string>

#include "ctl/api/message.h"
#include "ctl/config/config.h"
#include "ctl/kernel/instance.h"
#include "ctl/smlink/remote_link.h"
#include "sm/auth/authenticator.h"
#include "sm/embedded_link.h"

namespace stem::stemd {

class Manager {
  public:
    // What each kind counts; the other's is not there.
    struct Figures {
        std::optional<sm::EmbeddedLink::Counters> bindings;
        std::optional<sm::AdmissionCounts> admission = {};
        std::optional<sm::audit::Trail::Counts> audit = {};
        std::optional<auth::Counts> authentication;
        std::optional<smlink::Status> link;
        smlink::Counts link_counts;
        channel::RefusalCounts refusals{};
    };

    // `loop` must outlive it. Thresholds are in the kernel when it is made, as far as they are known here.
    static Result<std::unique_ptr<Manager>> open(boost::asio::io_context& loop, const config::Config& config,
                                                 const kernel::Instance& instance,
                                                 const std::string& database);
    Manager() = default;
    virtual ~Manager() = default;
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    virtual sm::Link& link() = 0;
    // Requests of the local API under /v1/ that are not stemd's own.
    virtual api::Response answer(const api::Request& request) = 0;
    [[nodiscard]] virtual boost::json::object status() const = 0;
    [[nodiscard]] virtual Figures figures() const = 0;
    virtual void every_second() {}
    virtual Result<> every_minute() { return {}; }
    // On SIGHUP.
    virtual Result<> reload() = 0;
};

} // namespace stem::stemd
