// SPDX-License-Identifier: Apache-2.0
// Whatever comes over the control channel: no fault; a refusal that is counted; and what is taken reads back,
// once it is written again, as it was.
#include "sm/channel/bodies.h"
#include "sm/channel/channel.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string_view>

namespace {

using namespace stem::channel;

void require(bool holds, std::source_location place = std::source_location::current()) {
    if (!holds) {
        std::fprintf(stderr, "line %u: does not hold\n", static_cast<unsigned>(place.line()));
        std::abort();
    }
}

// `read` of a body that `to_body` made from what `read` gave must give the same again.
template<typename Read>
void check_body(const boost::json::object& body, Read read) {
    const auto value = read(body);
    if (value) {
        const auto written = to_body(*value);
        const auto again = read(written);
        require(again && to_body(*again) == written);
    }
}

void check_bodies(const boost::json::object& body) {
    check_body(body, hello_from);
    check_body(body, query_from);
    check_body(body, decision_from);
    check_body(body, binding_from);
    check_body(body, stream_end_from);
    check_body(body, call_from);
    check_body(body, calls_from);
    check_body(body, thresholds_from);
    check_body(body, deny_from);
    check_body(body, ack_from);
    check_body(body, snapshot_from);
    check_body(body, snapshot_part_from);
    static_cast<void>(refused_from(body));
    static_cast<void>(nothing_from(body));
}

// No field is a fraction, and Boost.JSON 1.81 writes them with fewer digits than it reads.
bool has_fraction(const boost::json::value& value) {
    if (const auto* object = value.if_object()) {
        return std::ranges::any_of(*object, [](const auto& member) { return has_fraction(member.value()); });
    }
    if (const auto* array = value.if_array()) {
        return std::ranges::any_of(*array, has_fraction);
    }
    return value.is_double();
}

void check_side(Sender peer, std::string_view text) {
    RefusalCounts counts{};
    std::size_t audited = 0;
    Channel channel(
        peer, {}, [] { return std::chrono::system_clock::time_point(std::chrono::seconds(1763974800)); },
        counts, [&](const Refused&) { ++audited; });
    const auto taken = channel.accept(text);
    std::uint64_t counted = 0;
    for (const auto count : counts) {
        counted += count;
    }
    require(counted == (taken ? 0U : 1U) && audited == counted);
    require(taken || taken.error().close); // nothing goes on before hello
}

// Boost.JSON reads such numbers not exactly, and those beyond all as infinity, for which JSON has no word. No
// body of ours takes one.
bool holds_double(const boost::json::value& value) {
    if (const auto* list = value.if_array()) {
        return std::ranges::any_of(*list, holds_double);
    }
    const auto* object = value.if_object();
    return value.is_double() || (object != nullptr && std::ranges::any_of(*object, [](const auto& item) {
                                     return holds_double(item.value());
                                 }));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_side(Sender::firewall, text);
    check_side(Sender::manager, text);
    if (const auto message = decode(text, default_message_limit)) {
        require(!message->id.empty() && message->id.size() <= longest_id && message->sequence > 0);
        check_bodies(message->body);
        if (message->type && !holds_double(message->body)) {
            const auto again = decode(
                encode(message->time_ms, message->sequence, message->id, *message->type, message->body),
                default_message_limit * 8);
            require(has_fraction(message->body) ||
                    (again && again->id == message->id && again->body == message->body));
        }
    }
    return 0;
}
