// SPDX-License-Identifier: Apache-2.0
// The paths that a signalling measure compares: through STEM, and through a Linux bridge.
#pragma once

#include "signalling/timed_socket.h"

#include "demo/stage.h"
#include "lab/sip_text.h"

#include <memory>
#include <optional>
#include <string>

namespace stem::bench {

// Who calls and who is called, at the same addresses on each path.
struct CallPath {
    const lab::Netns& outside;
    const lab::Netns& inside;
    TimedSocket caller; // outside
    TimedSocket phone;  // inside: erin's, port 5060
    std::string uri;    // erin's, as STEM's users know her

    // An INVITE from the caller.
    [[nodiscard]] lab::SipRequest invite(const std::string& offer) const;
};

// Both ends, bound in that world.
Result<CallPath> path_of(const lab::World& world);

// The stage in bridge mode, with `config` (TOML) for stemd; its programs are those beside ours.
Result<std::unique_ptr<demo::Stage>> set_up_stage(const std::string& config = {});

// Calls go to the phone itself: a proxy's time would hide STEM's.
class CallPaths {
  public:
    static Result<std::unique_ptr<CallPaths>> set_up(const std::string& config = {});

    [[nodiscard]] const CallPath& stem() const { return *stem_; }
    [[nodiscard]] const CallPath& bridge() const { return *bridge_; }

  private:
    CallPaths() = default;

    std::unique_ptr<demo::Stage> stage_;
    std::optional<lab::World> plain_;
    std::optional<CallPath> stem_;
    std::optional<CallPath> bridge_;
};

} // namespace stem::bench
