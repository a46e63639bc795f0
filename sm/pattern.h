// SPDX-License-Identifier: Apache-2.0
// Who is calling, and the patterns that profiles and spam lists match callers with.
#pragma once

#include "sm/uri.h"

#include <stem/error.h>

#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace stem::sm {

// A From URI, taken apart once for all the patterns that it is held against.
struct Caller {
    explicit Caller(std::string_view from);

    std::string address;    // AddressOfRecord::to_string(); "" = the URI could not be read
    std::string host;       // "" = none
    std::string number;     // plain; "" = the user part is no number
    bool anonymous = false; // RFC 3323 4.1.1.3: user "anonymous" or host anonymous.invalid
};

class Pattern {
  public:
    enum class Kind {
        any,       // "*": also a caller whose URI cannot be read
        anonymous, // "anonymous"
        address,   // "sip:bob@example.org": user part case-sensitive, host not (RFC 3261 19.1.4)
        domain,    // "*@example.org": not its subdomains
        number,    // "tel:+49301234", "+49 30 1234"
        prefix,    // "+49*", "0049*": on numbers only; what is dialled is compared, +49 is not 0049
        regex,     // "regex:sip:.*@(a|b)\\.example": RE2's, on the whole of Caller::address
    };

    Pattern() = default; // any
    static Result<Pattern> parse(std::string_view text);

    [[nodiscard]] bool matches(const Caller& caller) const;
    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    // What is compared: address, host, number, the prefix without its '*', or the expression.
    [[nodiscard]] const std::string& value() const noexcept { return value_; }
    // One spelling for equal patterns; parse() reads it back.
    [[nodiscard]] std::string to_string() const;

    bool operator==(const Pattern& other) const { return kind_ == other.kind_ && value_ == other.value_; }

  private:
    Pattern(Kind kind, std::string value) : kind_(kind), value_(std::move(value)) {}
    static Result<Pattern> parse_regex(std::string_view text, std::string_view expression);

    Kind kind_ = Kind::any;
    std::string value_;
    std::shared_ptr<const re2::RE2> regex_; // of Kind::regex; linear in time, whatever the caller is called
};

} // namespace stem::sm
