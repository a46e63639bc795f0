// SPDX-License-Identifier: Apache-2.0
// Removes expired entries of the deny list. On a thread of its own: a sweep waits for the instance's lock,
// which stemctl may hold, and walks maps that may be long.
#pragma once

#include <chrono>
#include <stop_token>
#include <thread>

#include "ctl/kernel/deny_list.h"

namespace stem::stemd {

class DenySweeper {
  public:
    static constexpr std::chrono::seconds default_interval{10};

    explicit DenySweeper(kernel::DenyList list, std::chrono::seconds interval = default_interval);

  private:
    static void run(const std::stop_token& stop, kernel::DenyList list, std::chrono::seconds interval);

    std::jthread thread_;
};

} // namespace stem::stemd
