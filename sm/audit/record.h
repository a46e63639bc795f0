// SPDX-License-Identifier: Apache-2.0
// One line of the audit trail: a JSON object, written without a detour. docs/audit.md has the members.
#pragma once

#include "sm/decision.h"

#include <boost/json/value.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace stem::sm::audit {

// X(NAME, label, help)
#define STEM_AUDIT_KINDS(X)                                                                                  \
    X(decision, "decision", "what was decided of a call, by which rule")                                     \
    X(call, "call", "what became of a call that was let in")                                                 \
    X(change, "change", "what was changed by the API, or was to be")                                         \
    X(refusal, "refusal", "what was refused: a message of the control channel, a role, a certificate")       \
    X(report, "report", "a media stream that a firewall has ended")                                          \
    X(limit, "limit", "a limit of outgoing calls that was reached")                                          \
    X(gap, "gap", "records that could not be written")

enum class Kind : std::uint8_t {
#define STEM_AUDIT_KIND(name, label, help) name,
    STEM_AUDIT_KINDS(STEM_AUDIT_KIND)
#undef STEM_AUDIT_KIND
};

std::string_view label_of(Kind kind);
// "decision, call, ..." for an error's words.
std::string kind_labels();
bool is_kind(std::string_view label);

// The longest text that is kept of one member, and the longest line, in octets: so that memory and a search
// are bounded, whatever peers send.
inline constexpr std::size_t longest_text = 1024;
inline constexpr std::size_t longest_value = 24U * 1024U; // of JSON before or after a change
inline constexpr std::size_t longest_line = 64U * 1024U;

class Record {
  public:
    // `who`: "firewall fw1", "admin ann", "uid 0".
    Record(Kind kind, std::chrono::system_clock::time_point at, std::string_view who);

    // Text of a peer may be anything: what is no UTF-8 becomes U+FFFD, what is too long is cut. "" is left
    // away.
    Record& text(std::string_view name, std::string_view value);
    Record& number(std::string_view name, std::int64_t value);
    // Too long: {"omitted": octets} instead.
    Record& value(std::string_view name, const boost::json::value& value);

    // Without its number and its closing brace, which the trail adds.
    [[nodiscard]] const std::string& body() const noexcept { return body_; }

  private:
    std::string body_;
};

Record decision_record(const Query& query, const Decision& decision, std::string_view who);
Record call_record(const Link::CallEvent& event, std::string_view who);
Record report_record(const Link::StreamEnd& end, std::chrono::system_clock::time_point at,
                     std::string_view who);

// "2026-11-23T08:00:00.123Z": sorts as it happened.
std::string precise_timestamp(std::chrono::system_clock::time_point at);

} // namespace stem::sm::audit
