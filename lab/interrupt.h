// SPDX-License-Identifier: Apache-2.0
// Ends the body of an enclosure in good order on SIGINT or SIGTERM. Those signals must be blocked before the
// watch is made, so that all later threads leave them to it.
#pragma once

#include <stem/unique_fd.h>

#include <thread>

namespace stem::lab {

class InterruptWatch {
  public:
    InterruptWatch();
    ~InterruptWatch();
    InterruptWatch(const InterruptWatch&) = delete;
    InterruptWatch& operator=(const InterruptWatch&) = delete;

  private:
    void watch() const;

    UniqueFd signals_;
    UniqueFd end_; // an eventfd, written by the destructor
    std::jthread thread_;
};

} // namespace stem::lab
