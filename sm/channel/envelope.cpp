// SPDX-License-Identifier: Apache-2.0
#include "sm/channel/envelope.h"

#include <stem/utf8.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stem::channel {
namespace {

namespace json = boost::json;

struct TypeRow {
    std::string_view label;
    Sender sender;
};

constexpr auto types = std::to_array<TypeRow>({
#define STEM_MESSAGE(name, label, sender, help) {label, Sender::sender},
    STEM_MESSAGES(STEM_MESSAGE)
#undef STEM_MESSAGE
});

constexpr std::size_t max_depth = 8;
constexpr std::size_t members = 6;
constexpr std::size_t longest_type = 32;

std::optional<MessageType> type_from(std::string_view label) {
    const auto* found = std::ranges::find(types, label, &TypeRow::label);
    return found == types.end() ? std::nullopt
                                : std::optional(static_cast<MessageType>(found - types.begin()));
}

std::unexpected<Refused> refuse(Refusal reason, std::string detail) {
    return std::unexpected(Refused{.reason = reason, .detail = std::move(detail), .close = closes(reason)});
}

bool printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::expected<json::value, Refused> parse(std::string_view text) {
    json::parse_options options;
    options.max_depth = max_depth;
    json::stream_parser parser({}, options);
    json::error_code error;
    parser.write(text.data(), text.size(), error);
    if (!error) {
        parser.finish(error);
    }
    if (error == json::error::incomplete) {
        return refuse(Refusal::truncated, fmt::format("{} octets that are no whole message", text.size()));
    }
    if (error) {
        return refuse(Refusal::malformed, "not JSON: " + error.message());
    }
    return parser.release();
}

// A member that is missing or of another kind leaves `into` as it is: false.
bool take(const json::object& object, std::string_view name, std::int64_t& into) {
    const auto* value = object.if_contains(name);
    if (value == nullptr || !value->is_int64()) {
        return false;
    }
    into = value->get_int64();
    return true;
}

bool take(const json::object& object, std::string_view name, std::size_t longest, std::string& into) {
    const auto* value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) {
        return false;
    }
    const std::string_view text(value->get_string());
    if (text.empty() || text.size() > longest || !printable(text)) {
        return false;
    }
    into = text;
    return true;
}

} // namespace

std::string_view label_of(MessageType type) {
    return types[static_cast<std::size_t>(type)].label;
}

bool may_send(Sender sender, MessageType type) {
    const auto allowed = static_cast<unsigned>(types[static_cast<std::size_t>(type)].sender);
    return (allowed & static_cast<unsigned>(sender)) != 0;
}

std::string encode(std::int64_t time_ms, std::uint64_t sequence, std::string_view id, MessageType type,
                   const json::object& body) {
    std::string text =
        fmt::format(R"({{"version":{},"time":{},"sequence":{},"id":)", protocol_version, time_ms, sequence);
    text += json::serialize(json::string_view(id.data(), id.size()));
    text += fmt::format(R"(,"type":"{}","body":)", label_of(type));
    text += json::serialize(body);
    text += '}';
    return is_utf8(text) ? text : valid_utf8(text);
}

std::expected<Envelope, Refused> decode(std::string_view text, std::size_t limit) {
    if (text.size() > limit) {
        return refuse(Refusal::oversized, fmt::format("{} octets; at most {}", text.size(), limit));
    }
    auto parsed = parse(text);
    if (!parsed) {
        return std::unexpected(std::move(parsed.error()));
    }
    auto* object = parsed->if_object();
    if (object == nullptr) {
        return refuse(Refusal::malformed, "not a JSON object");
    }
    // Ahead of all else: another version may have another form.
    std::int64_t version = 0;
    if (!take(*object, "version", version)) {
        return refuse(Refusal::malformed, "version is missing, or no whole number");
    }
    if (version != protocol_version) {
        return refuse(Refusal::version,
                      fmt::format("version {}; this side has {}", version, protocol_version));
    }
    Envelope envelope;
    std::int64_t sequence = 0;
    if (!take(*object, "time", envelope.time_ms) || envelope.time_ms < 0) {
        return refuse(Refusal::malformed, "time is missing, or no whole number of milliseconds");
    }
    if (!take(*object, "sequence", sequence) || sequence < 1) {
        return refuse(Refusal::malformed, "sequence is missing, or no whole number from 1 on");
    }
    envelope.sequence = static_cast<std::uint64_t>(sequence);
    if (!take(*object, "id", longest_id, envelope.id)) {
        return refuse(Refusal::malformed,
                      fmt::format("id is missing, or not 1 to {} printable characters", longest_id));
    }
    if (!take(*object, "type", longest_type, envelope.type_label)) {
        return refuse(Refusal::malformed, "type is missing, or not printable");
    }
    auto* body = object->if_contains("body");
    if (body == nullptr || !body->is_object()) {
        return refuse(Refusal::malformed, "body is missing, or no JSON object");
    }
    if (object->size() != members) {
        return refuse(Refusal::malformed, "there are members that are none of an envelope");
    }
    envelope.body = std::move(body->get_object());
    envelope.type = type_from(envelope.type_label);
    return envelope;
}

} // namespace stem::channel
