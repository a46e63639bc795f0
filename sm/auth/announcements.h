// SPDX-License-Identifier: Apache-2.0
// Calls that terminals have announced: whom a user will call next, and from where. Each lets one call out
// (one Call-ID: with all its attempts), soon or not at all.
#pragma once

#include "sm/model.h"
#include "sm/string_map.h"
#include "sm/uri.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::auth {

struct Announcement {
    std::string id;
    std::string user;
    std::string to; // as AddressOfRecord::to_string() spells it
    Address source; // whence the INVITE is to come
    sm::TimePoint expires;
    std::string call_id; // of the call that used it; "" = not used
};

class Announcements {
  public:
    static constexpr std::size_t most_of_user = 16;
    static constexpr std::size_t most = 65536;
    static constexpr std::chrono::seconds longest_lifetime{300};
    static constexpr std::chrono::seconds linger{180}; // for more attempts of a call that has used it

    Result<Announcement> add(std::string_view user, std::string_view to, const Address& source,
                             std::chrono::seconds lifetime, sm::TimePoint now);
    // Is that call announced? Then it has been used by it.
    bool take(std::string_view user, const sm::AddressOfRecord& to, const Address& source,
              std::string_view call_id, sm::TimePoint now);
    [[nodiscard]] std::vector<Announcement> of(std::string_view user, sm::TimePoint now) const;
    bool withdraw(std::string_view user, std::string_view id);
    void expire(sm::TimePoint now);
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    sm::StringMap<std::vector<Announcement>> by_user_;
    std::size_t size_ = 0;
    std::uint64_t next_ = 0;
};

} // namespace stem::auth
