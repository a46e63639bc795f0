// SPDX-License-Identifier: Apache-2.0
// Messages in a second, by source and kind, where the data plane sees only segments: one may carry many. What
// is above its budget waits, and its connection with it: nothing is lost, and the sender's window closes.
#pragma once

#include <stem/abi/signalling.h>
#include <stem/address.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace stem::tcp {

// Those of stem/abi/threshold.h that say how much one source may send.
struct MessageRates {
    std::array<std::uint32_t, STEM_SIP_KINDS> per_second{}; // by enum stem_sip_kind; 0: no limit
    std::uint32_t interval_ms = 10000;                      // so much time's worth at once
    std::uint32_t known_factor = 1;                         // of sources that are known
};

class MessageBudget {
  public:
    void set(const MessageRates& rates) { rates_ = rates; }
    // Takes one message from the budget of its source (of IPv6: the /64) and gives 0; or gives how many
    // nanoseconds it has to wait, and takes nothing.
    std::uint64_t delay(const Address& source, std::string_view message, bool known, std::uint64_t now_ns);
    void expire(std::uint64_t now_ns); // forgets those whose budget is whole again
    [[nodiscard]] std::size_t size() const { return sources_.size(); }

  private:
    using Buckets = std::array<std::uint64_t, STEM_SIP_KINDS>; // "full at", as in bpf/bucket.h
    MessageRates rates_;
    std::unordered_map<Address, Buckets> sources_;
};

// As bpf/method.h tells it.
stem_sip_kind kind_of(std::string_view message);
// Who is charged: one IPv6 host may use all of its /64.
Address charged_source(const Address& source);

} // namespace stem::tcp
