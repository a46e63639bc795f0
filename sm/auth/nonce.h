// SPDX-License-Identifier: Apache-2.0
// Nonces that need no memory (RFC 7616 3.3): time and chance, and an HMAC-SHA-256 over them, the source and
// the realm. Who has not the key cannot make one, and one that was sent to another address is worth nothing.
#pragma once

#include <stem/address.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace stem::auth {

class NonceMint {
  public:
    static constexpr std::size_t key_length = 32; // octets

    // `key` "" = of this process alone; else Security Managers that share it know each other's nonces.
    NonceMint(std::string key, std::chrono::milliseconds lifetime);

    [[nodiscard]] std::string make(const Address& source, std::string_view realm,
                                   std::chrono::system_clock::time_point now) const;

    enum class Verdict : std::uint8_t {
        good,
        old,   // was good
        alien, // not made with this key, for that source and realm; or from a time to come
    };
    // `made`: when, of one that is not alien.
    [[nodiscard]] Verdict judge(std::string_view nonce, const Address& source, std::string_view realm,
                                std::chrono::system_clock::time_point now,
                                std::chrono::system_clock::time_point& made) const;

    void set_lifetime(std::chrono::milliseconds lifetime) { lifetime_ = lifetime; }

  private:
    [[nodiscard]] std::string seal(std::string_view head, const Address& source,
                                   std::string_view realm) const;

    std::string key_;
    std::chrono::milliseconds lifetime_;
};

} // namespace stem::auth
