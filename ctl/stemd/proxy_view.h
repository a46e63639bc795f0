// SPDX-License-Identifier: Apache-2.0
// The SIP proxy's part in the signalling path: a client that calls an inside address talks with that address,
// as far as the call monitor sees; the proxy's address takes its place only as a frame leaves.
#pragma once

#include <stem/abi/proxy.h>
#include <stem/abi/state.h>

#include <ctl/frame/readdress.h>
#include <ctl/frame/view.h>
#include <stem/error.h>

#include <optional>
#include <string_view>

#include "ctl/kernel/instance.h"
#include "ctl/kernel/mapped_array.h"
#include "ctl/stemd/proxied_calls.h"

namespace stem::stemd {

// What a frame is to be changed to when it leaves.
struct Readdressing {
    frame::End end = frame::End::destination;
    Endpoint endpoint;
};

class ProxyView {
  public:
    static Result<ProxyView> open(const kernel::Instance& instance);

    // `proxied`: the data plane has marked the frame (STEM_STEER_PROXIED). Nothing: it leaves as it came.
    std::optional<Readdressing> judge(stem_direction direction, bool proxied, const frame::FrameView& view,
                                      std::string_view message, std::uint64_t now_ns);
    // The proxy of this family, if there is one.
    [[nodiscard]] std::optional<Endpoint> proxy_of(bool v4) const;
    void expire(std::uint64_t now_ns) { calls_.expire(now_ns); }

  private:
    using SteeredMap = kernel::Map<stem_state_key, stem_steered>;
    ProxyView(kernel::MappedArray<stem_proxy> proxies, SteeredMap steered)
        : proxies_(std::move(proxies)), steered_(std::move(steered)) {}

    [[nodiscard]] std::optional<Endpoint> called_last(const frame::FrameView& view) const;

    kernel::MappedArray<stem_proxy> proxies_;
    SteeredMap steered_;
    ProxiedCalls calls_;
};

} // namespace stem::stemd
