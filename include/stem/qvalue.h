// SPDX-License-Identifier: Apache-2.0
// How much a contact is preferred to the others of its user: RFC 3261 20.10, qvalue of 25.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stem {

// 0 to 1, in thousandths; the more, the rather. RFC 3261 names no default; RFC 2616 14.1, which its qvalue is
// from, has 1, and so have Kamailio and we.
class QValue {
  public:
    static constexpr std::uint16_t most = 1000;

    constexpr QValue() noexcept = default;
    // "0.7", "1", "0.": at most three digits after the point. nullopt: anything else.
    static std::optional<QValue> parse(std::string_view text) noexcept;
    // nullopt: more than `most`.
    static constexpr std::optional<QValue> from_thousandths(std::int64_t thousandths) noexcept {
        if (thousandths < 0 || thousandths > most) {
            return std::nullopt;
        }
        QValue value;
        value.thousandths_ = static_cast<std::uint16_t>(thousandths);
        return value;
    }

    [[nodiscard]] constexpr std::uint16_t thousandths() const noexcept { return thousandths_; }
    [[nodiscard]] std::string to_string() const; // without needless zeros: "1", "0.75"
    constexpr auto operator<=>(const QValue&) const noexcept = default;

  private:
    std::uint16_t thousandths_ = most;
};

} // namespace stem
