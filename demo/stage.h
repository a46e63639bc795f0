// SPDX-License-Identifier: Apache-2.0
// The demo's stage: the telephone world of lab/world.h with STEM in its middle, Kamailio inside, and the
// users that the scenes call. Everything is set up by the commands that an operator would type.
#pragma once

#include <stem/abi/reason.h>
#include <stem/error.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/kernel/flow_list.h"
#include "ctl/kernel/instance.h"
#include "lab/kamailio.h"
#include "lab/process.h"
#include "lab/world.h"

namespace stem::demo {

// Who answers where. Each user has a URI at the proxy's address of either family.
namespace phone {
inline constexpr unsigned bob = 70;   // baresip, registers; a host of its own
inline constexpr unsigned alice = 71; // baresip, outside; a host of its own
inline constexpr unsigned carol = 51; // SIPp
inline constexpr unsigned dave = 52;  // away: his profile forwards to carol
inline constexpr unsigned erin = 53;  // scripted
} // namespace phone

struct Programs {
    std::string stemctl;
    std::string stemd;
};

struct StageOptions {
    lab::Mode mode = lab::Mode::bridge;
    Programs programs;
    std::string config = {};                                           // stemd's, TOML; "" = its defaults
    std::vector<std::pair<std::string, std::string>> environment = {}; // of stemctl and stemd, beside our own
    std::function<Result<>(const lab::World&)> prepare = {};           // before stemd is started
    std::string database = {};                                         // stemd's; "" = a file, made anew
    bool fallback_open = false;                                        // SIP passes while stemd is away
    bool tcp = false;                                                  // Kamailio listens with TCP, too
};

class Stage {
  public:
    static Result<std::unique_ptr<Stage>> set_up(const StageOptions& options);
    ~Stage();
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    [[nodiscard]] const lab::World& world() const { return *world_; }
    [[nodiscard]] const lab::Netns& alice() const { return *alice_; }
    [[nodiscard]] const lab::Netns& bob() const { return *bob_; }
    [[nodiscard]] lab::Mode mode() const { return world_->mode(); }

    // Runs stemctl in the middle; what it printed, or an Error with what it complained of.
    Result<std::string> stemctl(std::vector<std::string> arguments) const;
    // Starts stemd and waits until it answers.
    Result<> start_stemd();
    void stop_stemd();
    [[nodiscard]] lab::Process& stemd() { return *stemd_; }
    // Starts Kamailio, anew when it ran: it forgets its transactions and registrations.
    Result<> start_kamailio();
    [[nodiscard]] const lab::Process& kamailio() const { return kamailio_->process(); }

    // Packets counted under a reason, kernel's and stemd's, since the instance was attached.
    [[nodiscard]] std::uint64_t packets(stem_reason reason, stem_direction direction) const;
    [[nodiscard]] const kernel::Instance& instance() const { return *instance_; }
    [[nodiscard]] Result<std::vector<kernel::FlowEntry>> flows() const;
    // The pinhole with this destination and source, if it is open.
    [[nodiscard]] std::optional<kernel::FlowEntry> flow(const Endpoint& source,
                                                        const Endpoint& destination) const;

  private:
    Stage() = default;
    Result<> add_users() const;
    [[nodiscard]] std::string database() const;
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> environment() const;

    StageOptions options_;
    std::unique_ptr<lab::World> world_;
    std::optional<lab::Netns> alice_;
    std::optional<lab::Netns> bob_;
    std::optional<lab::Kamailio> kamailio_;
    std::optional<lab::Process> stemd_;
    std::optional<kernel::Instance> instance_;
};

// What a scene came to: did it hold, and the evidence.
struct Outcome {
    bool held = false;
    std::string evidence;
};

} // namespace stem::demo
