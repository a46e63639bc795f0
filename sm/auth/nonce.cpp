// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/nonce.h"

#include "sm/auth/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <stdexcept>

namespace stem::auth {
namespace {

using Clock = std::chrono::system_clock;
using std::chrono::milliseconds;

constexpr std::size_t time_digits = 12;  // of milliseconds since 1970: until the year 10889
constexpr std::size_t chance_digits = 8; // so that two of one millisecond differ
constexpr std::size_t seal_octets = 16;
constexpr std::size_t head_digits = time_digits + chance_digits;
constexpr std::size_t all_digits = head_digits + 2 * seal_octets;

std::string random_octets(std::size_t count) {
    std::string octets(count, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(octets.data()), static_cast<int>(count)) != 1) {
        throw std::runtime_error("the system gives no random octets");
    }
    return octets;
}

std::string hex(std::string_view octets) {
    std::string text;
    for (const char octet : octets) {
        text += fmt::format("{:02x}", static_cast<unsigned char>(octet));
    }
    return text;
}

} // namespace

NonceMint::NonceMint(std::string key, milliseconds lifetime)
    : key_(key.empty() ? random_octets(key_length) : std::move(key)), lifetime_(lifetime) {
}

std::string NonceMint::seal(std::string_view head, const Address& source, std::string_view realm) const {
    const std::string text = fmt::format("stem-nonce\n{}\n{}\n{}", head, source.to_string(), realm);
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned length = 0;
    HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &length);
    return hex({reinterpret_cast<const char*>(mac.data()), seal_octets});
}

std::string NonceMint::make(const Address& source, std::string_view realm, Clock::time_point now) const {
    const auto ms = std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count();
    const std::string head = fmt::format("{:0{}x}", ms, time_digits) + hex(random_octets(chance_digits / 2));
    return head + seal(head, source, realm);
}

NonceMint::Verdict NonceMint::judge(std::string_view nonce, const Address& source, std::string_view realm,
                                    Clock::time_point now, Clock::time_point& made) const {
    if (nonce.size() != all_digits) {
        return Verdict::alien;
    }
    const std::string_view head = nonce.substr(0, head_digits);
    if (!same_secret(nonce.substr(head_digits), seal(head, source, realm))) {
        return Verdict::alien;
    }
    std::int64_t ms = 0;
    constexpr int hexadecimal = 16;
    const std::string time(head.substr(0, time_digits));
    const char* end = time.data() + time.size();
    if (std::from_chars(time.data(), end, ms, hexadecimal).ptr != end) {
        return Verdict::alien;
    }
    made = Clock::time_point(milliseconds(ms));
    if (made > now + lifetime_) { // clocks of two Security Managers may differ, but not so
        return Verdict::alien;
    }
    return now - made > lifetime_ ? Verdict::old : Verdict::good;
}

} // namespace stem::auth
