// SPDX-License-Identifier: Apache-2.0
#include "sm/channel/bodies.h"

#include "sm/failure.h"
#include "sm/field_reader.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <stem/utf8.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stem::channel {
namespace {

namespace json = boost::json;
using sm::FieldReader;

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t longest_lifetime = 0xffffffff; // s (RFC 3261 20.19)
constexpr std::size_t longest_text = 65535;           // octets; a SIP message has no more
constexpr std::size_t most_terminals = 256;

template<typename T>
Result<T> outcome(const FieldReader& fields, T value) {
    return fields.fault() ? Result<T>(std::unexpected(*fields.fault())) : Result<T>(std::move(value));
}

std::string bounded(FieldReader& fields, std::string_view name, std::string text, std::size_t longest) {
    if (text.size() > longest) {
        fields.blame(name, Error{"read it", fmt::format("longer than {} octets", longest)});
        return {};
    }
    return text;
}

std::string text(FieldReader& fields, std::string_view name, std::size_t longest = longest_text) {
    return bounded(fields, name, fields.required_text(name), longest);
}

std::string optional_text(FieldReader& fields, std::string_view name, std::size_t longest = longest_text) {
    return bounded(fields, name, fields.text(name).value_or(""), longest);
}

std::int64_t number(FieldReader& fields, std::string_view name, std::int64_t low, std::int64_t high) {
    const auto value = fields.integer(name, low, high);
    if (!value && !fields.fault()) {
        fields.blame(name, Error{"read it", "missing"});
    }
    return value.value_or(low);
}

Address address_in(FieldReader& fields, std::string_view name, const std::string& text) {
    const auto address = Address::parse(text);
    if (!address) {
        fields.blame(name, address.error());
        return {};
    }
    return *address;
}

json::object to_object(const Endpoint& endpoint) {
    return {{"address", endpoint.address.to_string()}, {"port", static_cast<std::int64_t>(endpoint.port)}};
}

Endpoint endpoint(FieldReader& fields, std::string_view name) {
    const auto* value = fields.any(name);
    if (value == nullptr) {
        fields.blame(name, Error{"read it", "missing"});
        return {};
    }
    FieldReader inner(*value, name, {"address", "port"});
    Endpoint endpoint{.address = address_in(inner, "address", inner.required_text("address")),
                      .port = static_cast<std::uint16_t>(number(inner, "port", 0, 65535))};
    if (inner.fault()) {
        fields.blame(name, *inner.fault());
    }
    return endpoint;
}

std::int64_t milliseconds_of(sm::TimePoint at) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

constexpr std::size_t longest_call = 32; // a firewall's name of a call

const char* label_of(stem_direction direction) {
    return direction == STEM_INBOUND ? "inbound" : "outbound";
}

stem_direction direction(FieldReader& fields) {
    const std::string text = fields.required_text("direction");
    if (text != "inbound" && text != "outbound") {
        fields.blame("direction", Error{"read it", "neither inbound nor outbound"});
    }
    return text == "outbound" ? STEM_OUTBOUND : STEM_INBOUND;
}

sm::TimePoint time(FieldReader& fields) {
    constexpr std::int64_t year_2200 = 7258118400000; // as sm/timestamp.h
    return sm::TimePoint(std::chrono::milliseconds(number(fields, "at", 0, year_2200)));
}

constexpr std::size_t longest_cut = 1024;

// Not within a character of more than one octet: it would not be UTF-8 any more. What is none becomes longer
// by being sent (encode()), so that comes first.
std::string cut(const std::string& given) {
    const std::string text = valid_utf8(given);
    std::size_t length = std::min(text.size(), longest_cut);
    while (length < text.size() && length > 0 &&
           (static_cast<unsigned char>(text[length]) & 0xc0U) == 0x80U) {
        --length;
    }
    return text.substr(0, length);
}

constexpr std::array<std::string_view, 3> state_labels = {"going", "answered", "ended"};

std::vector<std::string> texts(FieldReader& fields, std::string_view name, std::size_t count,
                               std::size_t longest) {
    auto list = fields.texts(name);
    if (list.size() > count) {
        fields.blame(name, Error{"read it", fmt::format("more than {}", count)});
        return {};
    }
    for (std::string& text : list) {
        text = bounded(fields, name, std::move(text), longest);
    }
    return list;
}

json::array texts_of(const std::vector<Address>& addresses) {
    json::array list;
    for (const Address& address : addresses) {
        list.emplace_back(address.to_string());
    }
    return list;
}

std::vector<Address> terminals(FieldReader& fields) {
    std::vector<Address> list;
    const auto texts = fields.texts("terminals");
    if (texts.size() > most_terminals) {
        fields.blame("terminals", Error{"read it", fmt::format("more than {}", most_terminals)});
        return list;
    }
    for (const std::string& text : texts) {
        list.push_back(address_in(fields, "terminals", text));
    }
    return list;
}

} // namespace

json::object to_body(const Hello& hello) {
    return {{"software", hello.software},
            {"name", hello.name},
            {"thresholds_version", hello.thresholds_version},
            {"snapshots", hello.snapshots}};
}

Result<Hello> hello_from(const json::object& body) {
    FieldReader fields(body, "hello", {"software", "name", "thresholds_version", "snapshots"});
    Hello hello{.software = text(fields, "software", 128), .name = text(fields, "name", 64)};
    hello.thresholds_version = number(fields, "thresholds_version", -1, most);
    hello.snapshots = fields.boolean("snapshots").value_or(false);
    return outcome(fields, std::move(hello));
}

json::object to_body(const sm::Query& query) {
    json::object body{{"caller", query.caller},          {"callee", query.callee},
                      {"call_id", query.call_id},        {"direction", label_of(query.direction)},
                      {"at", milliseconds_of(query.at)}, {"call", query.call},
                      {"method", query.method}};
    if (query.source) {
        body["source"] = query.source->to_string();
    }
    if (!query.authorization.empty()) {
        json::array values;
        for (const std::string& given : query.authorization) {
            // Whose octets are foreign is nobody's; longer than may be, it would have the query refused.
            if (std::string value = valid_utf8(given); value.size() <= sm::max_authorization) {
                values.emplace_back(std::move(value));
            }
        }
        body["authorization"] = std::move(values);
    }
    return body;
}

Result<sm::Query> query_from(const json::object& body) {
    FieldReader fields(
        body, "query",
        {"caller", "callee", "call_id", "direction", "at", "call", "source", "method", "authorization"});
    sm::Query query{.caller = text(fields, "caller"),
                    .callee = text(fields, "callee"),
                    .call_id = text(fields, "call_id")};
    query.direction = direction(fields);
    query.at = time(fields);
    query.call = optional_text(fields, "call", longest_call);
    if (const std::string source = optional_text(fields, "source", 64); !source.empty()) {
        query.source = address_in(fields, "source", source);
    }
    if (fields.has("method")) {
        query.method = text(fields, "method", 32);
    }
    query.authorization = texts(fields, "authorization", sm::max_authorizations, sm::max_authorization);
    return outcome(fields, std::move(query));
}

json::object to_body(const sm::Decision& decision) {
    json::object body{{"user", decision.user}, {"why", decision.why}};
    if (const auto* accept = std::get_if<sm::Accept>(&decision.action)) {
        body["action"] = "accept";
        body["terminals"] = texts_of(accept->terminals);
    } else if (const auto* forward = std::get_if<sm::Forward>(&decision.action)) {
        body["action"] = "forward";
        body["target"] = forward->target;
        body["terminals"] = texts_of(forward->terminals);
    } else if (const auto* reject = std::get_if<sm::Reject>(&decision.action)) {
        body["action"] = "reject";
        body["status"] = reject->status;
        body["phrase"] = reject->phrase;
        body["retry_after"] = reject->retry_after.count();
    } else if (const auto* challenge = std::get_if<sm::Challenge>(&decision.action)) {
        body["action"] = "challenge";
        body["challenges"] = json::array(challenge->values.begin(), challenge->values.end());
        body["stale"] = challenge->stale;
    } else {
        body["action"] = "drop";
        body["spam"] = std::get<sm::Drop>(decision.action).spam;
    }
    if (decision.max_duration.count() != 0) {
        body["max_duration"] = decision.max_duration.count();
    }
    if (decision.deny.count() != 0) {
        body["deny_seconds"] = decision.deny.count();
        body["deny_note"] = decision.deny_note;
    }
    return body;
}

Result<sm::Decision> decision_from(const json::object& body) {
    FieldReader fields(body, "decision",
                       {"action", "terminals", "target", "status", "phrase", "retry_after", "spam", "user",
                        "why", "deny_seconds", "deny_note", "max_duration", "challenges", "stale"});
    sm::Decision decision{.user = optional_text(fields, "user", 64), .why = optional_text(fields, "why")};
    const std::string action = fields.required_text("action");
    if (action == "accept") {
        decision.action = sm::Accept{terminals(fields)};
    } else if (action == "forward") {
        decision.action = sm::Forward{text(fields, "target", 1024), terminals(fields)};
    } else if (action == "reject") {
        decision.action = sm::Reject{.status = static_cast<int>(number(fields, "status", 400, 699)),
                                     .phrase = optional_text(fields, "phrase", 256),
                                     .retry_after = std::chrono::seconds(
                                         fields.integer("retry_after", 0, longest_lifetime).value_or(0))};
    } else if (action == "drop") {
        decision.action = sm::Drop{.spam = fields.boolean("spam").value_or(false)};
    } else if (action == "challenge") {
        decision.action = sm::Challenge{
            .values = texts(fields, "challenges", sm::max_authorizations, sm::max_authorization),
            .stale = fields.boolean("stale").value_or(false)};
    } else {
        fields.blame("action", Error{"read it", "not accept, forward, reject, drop or challenge"});
    }
    decision.deny = std::chrono::seconds(fields.integer("deny_seconds", 0, sm::max_deny_seconds).value_or(0));
    decision.deny_note = optional_text(fields, "deny_note", 256);
    if (decision.deny.count() != 0 && action != "reject" && action != "drop") {
        fields.blame("deny_seconds", Error{"read it", "belongs to reject and drop only"});
    }
    decision.max_duration =
        std::chrono::seconds(fields.integer("max_duration", 0, longest_lifetime).value_or(0));
    if (decision.max_duration.count() != 0 && action != "accept" && action != "forward") {
        fields.blame("max_duration", Error{"read it", "belongs to accept and forward only"});
    }
    return outcome(fields, std::move(decision));
}

json::object to_body(const sm::Link::Binding& binding) {
    json::object body{{"address_of_record", binding.address_of_record},
                      {"contact", binding.contact},
                      {"address", binding.address.to_string()},
                      {"lifetime", binding.lifetime.count()},
                      {"all", binding.all}};
    if (binding.q != QValue()) { // a Security Manager of before this field refuses it
        body["q"] = binding.q.to_string();
    }
    return body;
}

Result<sm::Link::Binding> binding_from(const json::object& body) {
    FieldReader fields(body, "learn", {"address_of_record", "contact", "address", "lifetime", "all", "q"});
    sm::Link::Binding binding{.address_of_record = text(fields, "address_of_record"),
                              .contact = optional_text(fields, "contact"),
                              .address = address_in(fields, "address", fields.required_text("address"))};
    binding.lifetime = std::chrono::seconds(number(fields, "lifetime", 0, longest_lifetime));
    binding.all = fields.boolean("all").value_or(false);
    binding.q = fields.qvalue("q");
    return outcome(fields, std::move(binding));
}

json::object to_body(const sm::Link::StreamEnd& end) {
    return {{"caller", end.caller},
            {"callee", end.callee},
            {"call_id", end.call_id},
            {"source", to_object(end.source)},
            {"destination", to_object(end.destination)},
            {"cause", end.cause},
            {"call_ended", end.call_ended}};
}

Result<sm::Link::StreamEnd> stream_end_from(const json::object& body) {
    FieldReader fields(body, "report",
                       {"caller", "callee", "call_id", "source", "destination", "cause", "call_ended"});
    sm::Link::StreamEnd end{.caller = optional_text(fields, "caller"),
                            .callee = optional_text(fields, "callee"),
                            .call_id = optional_text(fields, "call_id"),
                            .source = endpoint(fields, "source"),
                            .destination = endpoint(fields, "destination"),
                            .cause = text(fields, "cause", 64)};
    end.call_ended = fields.boolean("call_ended").value_or(false);
    return outcome(fields, std::move(end));
}

json::object to_body(const sm::Link::CallEvent& event) {
    json::object body{{"call", event.call},
                      {"call_id", cut(event.call_id)},
                      {"caller", cut(event.caller)},
                      {"callee", cut(event.callee)},
                      {"direction", label_of(event.direction)},
                      {"user", event.user},
                      {"state", state_labels[static_cast<std::size_t>(event.state)]},
                      {"at", milliseconds_of(event.at)}};
    if (!event.cause.empty()) {
        body["cause"] = cut(event.cause);
    }
    return body;
}

Result<sm::Link::CallEvent> call_from(const json::object& body) {
    FieldReader fields(body, "call",
                       {"call", "call_id", "caller", "callee", "direction", "user", "state", "at", "cause"});
    sm::Link::CallEvent event{.call = text(fields, "call", longest_call),
                              .call_id = text(fields, "call_id", longest_cut),
                              .caller = text(fields, "caller", longest_cut),
                              .callee = text(fields, "callee", longest_cut),
                              .direction = direction(fields),
                              .user = optional_text(fields, "user", 64),
                              .at = time(fields),
                              .cause = optional_text(fields, "cause", longest_cut)};
    if (event.call.empty()) {
        fields.blame("call", Error{"read it", "it is empty"});
    }
    const std::string state = fields.required_text("state");
    const auto known = std::ranges::find(state_labels, state);
    if (known == state_labels.end()) {
        fields.blame("state", Error{"read it", "neither going, answered nor ended"});
    } else {
        event.state = static_cast<sm::Link::CallEvent::State>(known - state_labels.begin());
    }
    return outcome(fields, std::move(event));
}

json::object to_body(const Calls& calls) {
    json::array list;
    for (const auto& event : calls.calls) {
        list.push_back(to_body(event));
    }
    return {{"first", calls.first}, {"last", calls.last}, {"calls", std::move(list)}};
}

std::size_t size_in_calls(const sm::Link::CallEvent& event) {
    return json::serialize(to_body(event)).size() + 1;
}

Result<Calls> calls_from(const json::object& body) {
    FieldReader fields(body, "calls", {"first", "last", "calls"});
    Calls calls{.first = fields.boolean("first").value_or(false),
                .last = fields.boolean("last").value_or(false)};
    const auto* list = fields.list("calls");
    if (list == nullptr || list->size() > most_calls) {
        fields.blame("calls", Error{"read it", fmt::format("missing, or more than {}", most_calls)});
        return outcome(fields, std::move(calls));
    }
    for (const auto& item : *list) {
        const auto* object = item.if_object();
        auto event = object == nullptr ? sm::invalid("read a call", "not a JSON object") : call_from(*object);
        if (event && event->state == sm::Link::CallEvent::State::ended) {
            event = sm::invalid("read a call in progress", "it has ended");
        }
        if (!event) {
            fields.blame("calls", event.error());
            break;
        }
        calls.calls.push_back(std::move(*event));
    }
    return outcome(fields, std::move(calls));
}

json::object to_body(const ThresholdsPush& push) {
    json::object values;
    for (const auto& [name, value] : push.values) {
        values[name] = value;
    }
    return {{"version", push.version}, {"values", std::move(values)}};
}

Result<ThresholdsPush> thresholds_from(const json::object& body) {
    FieldReader fields(body, "thresholds", {"version", "values"});
    ThresholdsPush push{.version = number(fields, "version", 0, most)};
    const auto* values = fields.any("values");
    if (values == nullptr || !values->is_object()) {
        fields.blame("values", Error{"read it", "missing, or no JSON object"});
        return outcome(fields, std::move(push));
    }
    for (const auto& item : values->get_object()) {
        if (!item.value().is_int64()) {
            fields.blame(fmt::format("values.{}", std::string_view(item.key()).substr(0, 40)),
                         Error{"read it", "no whole number"});
            break;
        }
        push.values.emplace(item.key(), item.value().get_int64());
    }
    return outcome(fields, std::move(push));
}

json::object to_body(const DenyInstruction& instruction) {
    return {{"source", instruction.source.to_string()},
            {"lifetime", instruction.lifetime.count()},
            {"note", instruction.note}};
}

Result<DenyInstruction> deny_from(const json::object& body) {
    FieldReader fields(body, "deny", {"source", "lifetime", "note"});
    DenyInstruction instruction;
    if (const auto source = Cidr::parse(fields.required_text("source"))) {
        instruction.source = *source;
    } else {
        fields.blame("source", source.error());
    }
    instruction.lifetime = std::chrono::seconds(number(fields, "lifetime", 0, longest_lifetime));
    instruction.note = optional_text(fields, "note", 256);
    return outcome(fields, std::move(instruction));
}

json::object to_body(const Ack& ack) {
    return {{"ok", ack.ok}, {"detail", ack.detail}};
}

Result<Ack> ack_from(const json::object& body) {
    FieldReader fields(body, "ack", {"ok", "detail"});
    const auto ok = fields.boolean("ok");
    if (!ok) {
        fields.blame("ok", Error{"read it", "missing"});
    }
    return outcome(fields, Ack{.ok = ok.value_or(false), .detail = optional_text(fields, "detail")});
}

json::object to_body(const SnapshotHead& head) {
    return {{"manifest", head.manifest},
            {"signature", head.signature},
            {"certificate", head.certificate},
            {"parts", head.parts}};
}

Result<SnapshotHead> snapshot_from(const json::object& body) {
    FieldReader fields(body, "snapshot", {"manifest", "signature", "certificate", "parts"});
    SnapshotHead head{.manifest = text(fields, "manifest"),
                      .signature = text(fields, "signature", 1024),
                      .certificate = text(fields, "certificate"),
                      .parts = number(fields, "parts", 0, 1 << 20)};
    return outcome(fields, std::move(head));
}

json::object to_body(const SnapshotPart& part) {
    return {{"index", part.index}, {"data", part.data}};
}

Result<SnapshotPart> snapshot_part_from(const json::object& body) {
    FieldReader fields(body, "snapshot part", {"index", "data"});
    SnapshotPart part{.index = number(fields, "index", 0, 1 << 20),
                      .data = text(fields, "data", default_part_limit)};
    return outcome(fields, std::move(part));
}

Result<RefusedBody> refused_from(const json::object& body) {
    FieldReader fields(body, "refused", {"reason", "detail"});
    RefusedBody refused{.reason = text(fields, "reason", 64), .detail = optional_text(fields, "detail")};
    return outcome(fields, std::move(refused));
}

Result<> nothing_from(const json::object& body) {
    if (!body.empty()) {
        return sm::invalid("read ping or pong", "its body is not empty", "send {}");
    }
    return {};
}

} // namespace stem::channel
