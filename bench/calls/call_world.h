// SPDX-License-Identifier: Apache-2.0
// A router between callers and phones: the kernel alone, with nftables and the kernel's SIP helper, or STEM.
#pragma once

#include "lab/world.h"

#include <stem/error.h>

#include <memory>

namespace stem::bench {

class CallWorld {
  public:
    CallWorld() = default;
    CallWorld(const CallWorld&) = delete;
    CallWorld& operator=(const CallWorld&) = delete;
    virtual ~CallWorld() = default;

    [[nodiscard]] virtual const lab::World& world() const = 0;
};

Result<std::unique_ptr<CallWorld>> make_open_call_world();
// Drops what is not SIP to port 5060, or of a connection that the kernel knows or its SIP helper expects. The
// helper has its defaults, and sees UDP and TCP.
Result<std::unique_ptr<CallWorld>> make_nftables_call_world();
// stemd with its defaults, but for [sm] unknown_user: every call is let in.
Result<std::unique_ptr<CallWorld>> make_stem_call_world();

} // namespace stem::bench
