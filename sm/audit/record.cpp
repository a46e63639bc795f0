// SPDX-License-Identifier: Apache-2.0
#include "sm/audit/record.h"

#include "sm/timestamp.h"

#include <stem/utf8.h>

#include <boost/json/serialize.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace stem::sm::audit {
namespace {

constexpr std::array labels{
#define STEM_AUDIT_KIND(name, label, help) std::string_view(label),
    STEM_AUDIT_KINDS(STEM_AUDIT_KIND)
#undef STEM_AUDIT_KIND
};

// RFC 8259 7.
void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    std::string_view rest = text.substr(0, longest_text);
    while (!rest.empty()) {
        const auto octet = static_cast<unsigned char>(rest.front());
        const std::size_t length = utf8_sequence_length(rest);
        if (length == 0) {
            // Cut in the middle of a character by the bound, or never one.
            out += "\xef\xbf\xbd";
            rest.remove_prefix(1);
        } else if (octet == '"' || octet == '\\') {
            out += '\\';
            out += rest.front();
            rest.remove_prefix(1);
        } else if (octet < 0x20 || octet == 0x7f) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", octet);
            rest.remove_prefix(1);
        } else {
            out += rest.substr(0, length);
            rest.remove_prefix(length);
        }
    }
    out += text.size() > longest_text ? "...\"" : "\"";
}

struct DescribeAction {
    Record& record;

    void operator()(const Accept& accept) const {
        record.text("action", "accept");
        terminals(accept.terminals);
    }
    void operator()(const Forward& forward) const {
        record.text("action", "forward").text("target", forward.target);
        terminals(forward.terminals);
    }
    void operator()(const Reject& reject) const {
        record.text("action", "reject").number("status", reject.status);
    }
    void operator()(const Challenge& challenge) const {
        record.text("action", challenge.stale ? "challenge stale" : "challenge");
    }
    void operator()(const Drop& drop) const { record.text("action", drop.spam ? "drop spam" : "drop"); }

    void terminals(const std::vector<Address>& addresses) const {
        std::string list;
        for (const Address& address : addresses) {
            list += (list.empty() ? "" : " ") + address.to_string();
        }
        record.text("terminals", list);
    }
};

} // namespace

std::string_view label_of(Kind kind) {
    return labels[static_cast<std::size_t>(kind)];
}

std::string kind_labels() {
    return fmt::format("{}", fmt::join(labels, ", "));
}

bool is_kind(std::string_view label) {
    return std::ranges::find(labels, label) != labels.end();
}

std::string precise_timestamp(std::chrono::system_clock::time_point at) {
    std::string text = to_timestamp(at);
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(
        at - std::chrono::floor<std::chrono::seconds>(at));
    text.pop_back();
    return text + fmt::format(".{:03}Z", since.count());
}

Record::Record(Kind kind, std::chrono::system_clock::time_point at, std::string_view who) {
    body_ = fmt::format(R"("time":"{}","kind":"{}")", precise_timestamp(at), label_of(kind));
    text("who", who);
}

Record& Record::text(std::string_view name, std::string_view value) {
    if (!value.empty()) {
        body_ += fmt::format(",\"{}\":", name);
        append_quoted(body_, value);
    }
    return *this;
}

Record& Record::number(std::string_view name, std::int64_t value) {
    body_ += fmt::format(",\"{}\":{}", name, value);
    return *this;
}

Record& Record::value(std::string_view name, const boost::json::value& value) {
    const std::string text = boost::json::serialize(value);
    body_ += text.size() > longest_value ? fmt::format(",\"{}\":{{\"omitted\":{}}}", name, text.size())
                                         : fmt::format(",\"{}\":{}", name, text);
    return *this;
}

Record decision_record(const Query& query, const Decision& decision, std::string_view who) {
    Record record(Kind::decision, query.at, who);
    record.text("call_id", query.call_id)
        .text("call", query.call)
        .text("caller", query.caller)
        .text("callee", query.callee)
        .text("direction", query.direction == STEM_INBOUND ? "inbound" : "outbound")
        .text("user", decision.user);
    std::visit(DescribeAction{record}, decision.action);
    record.text("why", decision.why);
    if (decision.deny.count() != 0) {
        record.number("deny_seconds", decision.deny.count());
    }
    if (decision.max_duration.count() != 0) {
        record.number("max_duration", decision.max_duration.count());
    }
    return record;
}

Record call_record(const Link::CallEvent& event, std::string_view who) {
    constexpr std::array<std::string_view, 3> actions = {"going", "answered", "ended"};
    Record record(Kind::call, event.at, who);
    record.text("call_id", event.call_id)
        .text("call", event.call)
        .text("caller", event.caller)
        .text("callee", event.callee)
        .text("direction", event.direction == STEM_INBOUND ? "inbound" : "outbound")
        .text("user", event.user)
        .text("action", actions[static_cast<std::size_t>(event.state)])
        .text("why", event.cause);
    return record;
}

Record report_record(const Link::StreamEnd& end, std::chrono::system_clock::time_point at,
                     std::string_view who) {
    Record record(Kind::report, at, who);
    record.text("call_id", end.call_id)
        .text("caller", end.caller)
        .text("callee", end.callee)
        .text("action", end.call_ended ? "call ended" : "stream ended")
        .text("source", end.source.to_string())
        .text("destination", end.destination.to_string())
        .text("why", end.cause);
    return record;
}

} // namespace stem::sm::audit
