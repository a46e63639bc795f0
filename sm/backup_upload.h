// SPDX-License-Identifier: Apache-2.0
// A backup that comes in parts, since a request's body is bounded. One at a time: who begins another ends the
// one before. Given up when no part has come for a while.
#pragma once

#include "sm/model.h"

#include <stem/error.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace stem::sm {

class BackupUpload {
  public:
    std::uint64_t begin(TimePoint now);
    // Fails with ENOENT on another upload than the one that is going on, with EMSGSIZE on too much. Gives the
    // octets so far.
    Result<std::size_t> add(std::uint64_t id, std::string_view part, TimePoint now);
    // Ends it.
    Result<std::string> take(std::uint64_t id, TimePoint now);
    void give_up_if_stale(TimePoint now);

  private:
    [[nodiscard]] Result<> check(std::uint64_t id) const;

    std::uint64_t id_ = 0; // 0: none is going on
    std::uint64_t last_ = 0;
    std::string document_;
    TimePoint heard_;
};

} // namespace stem::sm
