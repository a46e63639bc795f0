// SPDX-License-Identifier: Apache-2.0
// The control channel's envelope and its checks: what is refused, why, and that it is counted and audited.
#include "sm/channel/bodies.h"
#include "sm/channel/channel.h"
#include "tests/unit/json_schema.h"
#include "tests/unit/sm_fixture.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

namespace stem::channel {
namespace {

using namespace std::chrono_literals;
using sm::error_of;
using sm::must;
using testing::HasSubstr;
namespace json = boost::json;

const test::JsonSchema& schema() {
    static const test::JsonSchema read(STEM_SOURCE_DIR "/docs/control-channel.schema.json");
    return read;
}

// A firewall and a Security Manager with one clock, and a wire that the test holds in its hands.
class ChannelTest : public testing::Test {
  protected:
    struct Side {
        RefusalCounts counts{};
        std::vector<Refused> audit;
    };

    ChannelTest()
        : firewall_(
              Sender::manager, {}, [this] { return now_; }, at_firewall_.counts,
              [this](const Refused& refused) { at_firewall_.audit.push_back(refused); }),
          manager_(
              Sender::firewall, {}, [this] { return now_; }, at_manager_.counts,
              [this](const Refused& refused) { at_manager_.audit.push_back(refused); }) {}

    void greet() {
        ASSERT_TRUE(manager_.accept(firewall_.make(MessageType::hello, "h", hello())));
        ASSERT_TRUE(firewall_.accept(manager_.make(MessageType::hello, "h", hello())));
    }
    static json::object hello() { return to_body(Hello{.software = "test 1", .name = "fw1"}); }
    static json::object query() {
        return to_body(sm::Query{.caller = "sip:alice@example.com",
                                 .callee = "sip:bob@example.org",
                                 .call_id = "c1",
                                 .at = sm::monday_nine});
    }
    std::string next_query() { return firewall_.make(MessageType::query, firewall_.fresh_id(), query()); }

    // That the manager refuses it for `reason`, once more than before, and tells the audit.
    Refused refused(std::string_view text, Refusal reason) {
        const auto before = at_manager_.counts[static_cast<std::size_t>(reason)];
        const auto audited = at_manager_.audit.size();
        const auto result = manager_.accept(text);
        EXPECT_FALSE(result) << text.substr(0, 200);
        if (result) {
            return {};
        }
        EXPECT_EQ(label_of(result.error().reason), label_of(reason)) << result.error().detail;
        EXPECT_EQ(at_manager_.counts[static_cast<std::size_t>(reason)], before + 1);
        EXPECT_EQ(at_manager_.audit.size(), audited + 1);
        return result.error();
    }

    sm::TimePoint now_ = sm::monday_nine;
    Side at_firewall_;
    Side at_manager_;
    Channel firewall_;
    Channel manager_;
};

TEST_F(ChannelTest, CarriesWhatWasSaid) {
    greet();
    const auto text = next_query();
    const auto message = manager_.accept(text);
    ASSERT_TRUE(message) << message.error().detail;
    EXPECT_EQ(message->type, MessageType::query);
    EXPECT_EQ(message->sequence, 2U);
    EXPECT_EQ(message->id, "f1");
    const auto query = must(query_from(message->body));
    EXPECT_EQ(query.caller, "sip:alice@example.com");
    EXPECT_EQ(query.at, sm::monday_nine);
    EXPECT_THAT(at_manager_.audit, testing::IsEmpty());
}

TEST_F(ChannelTest, ReplayedIsRefused) {
    greet();
    const auto text = next_query();
    ASSERT_TRUE(manager_.accept(text));
    const auto why = refused(text, Refusal::repeated);
    EXPECT_TRUE(why.close);
    EXPECT_EQ(why.type, "query");
    EXPECT_EQ(why.id, "f1");
    EXPECT_EQ(why.sequence, 2U);
}

TEST_F(ChannelTest, ReplayedHelloIsRefused) {
    const auto text = firewall_.make(MessageType::hello, "h", hello());
    ASSERT_TRUE(manager_.accept(text));
    refused(text, Refusal::repeated);
}

TEST_F(ChannelTest, ReorderedIsRefused) {
    greet();
    const auto first = next_query();
    const auto second = next_query();
    EXPECT_TRUE(refused(second, Refusal::reordered).close);
    EXPECT_TRUE(manager_.accept(first)) << "what was refused has moved nothing";
}

TEST_F(ChannelTest, DelayedIsRefusedAndTheNextIsNot) {
    greet();
    const auto late = next_query();
    now_ += 5001ms;
    EXPECT_FALSE(refused(late, Refusal::stale).close);
    EXPECT_TRUE(manager_.accept(next_query()));
    const auto in_time = next_query();
    now_ += 5000ms;
    EXPECT_TRUE(manager_.accept(in_time));
}

TEST_F(ChannelTest, FromTheFutureIsRefused) {
    greet();
    const auto text = next_query();
    now_ -= 5001ms;
    EXPECT_FALSE(refused(text, Refusal::ahead).close);
}

TEST_F(ChannelTest, ClocksThatDisagreeEndTheConnectionAtHello) {
    const auto text = firewall_.make(MessageType::hello, "h", hello());
    now_ += 6s;
    const auto why = refused(text, Refusal::stale);
    EXPECT_TRUE(why.close);
    EXPECT_THAT(why.detail, HasSubstr("clocks"));
}

TEST_F(ChannelTest, TruncatedIsRefused) {
    greet();
    const auto text = next_query();
    for (std::size_t length = 1; length < text.size(); ++length) {
        RefusalCounts counts{};
        Channel fresh(Sender::firewall, {}, [this] { return now_; }, counts, {});
        const auto result = fresh.accept(std::string_view(text).substr(0, length));
        ASSERT_FALSE(result);
        ASSERT_EQ(label_of(result.error().reason), "truncated") << length;
        ASSERT_TRUE(result.error().close);
    }
    refused(std::string_view(text).substr(0, text.size() / 2), Refusal::truncated);
}

TEST_F(ChannelTest, OversizedIsRefused) {
    greet();
    auto body = query();
    body["caller"] = std::string(default_message_limit, 'a');
    EXPECT_TRUE(refused(firewall_.make(MessageType::query, "q", body), Refusal::oversized).close);
}

TEST_F(ChannelTest, UnknownVersionIsRefusedWhateverItsForm) {
    greet();
    for (const char* text : {R"({"version":2,"time":0,"sequence":2,"id":"a","type":"query","body":{}})",
                             R"({"version":2})", R"({"version":0,"anything":[1,2]})"}) {
        EXPECT_TRUE(refused(text, Refusal::version).close);
    }
}

TEST_F(ChannelTest, WrongRoleIsRefused) {
    greet();
    const auto text = firewall_.make(MessageType::decision, "q", to_body(sm::Decision{}));
    EXPECT_TRUE(refused(text, Refusal::wrong_role).close);
    // And the other way round.
    const auto reply = manager_.make(MessageType::query, "q", query());
    const auto result = firewall_.accept(reply);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason, Refusal::wrong_role);
}

TEST_F(ChannelTest, HelloComesFirstAndOnce) {
    EXPECT_TRUE(refused(next_query(), Refusal::order).close);
    ASSERT_TRUE(manager_.accept(firewall_.make(MessageType::hello, "h", hello())));
    EXPECT_TRUE(refused(firewall_.make(MessageType::hello, "h", hello()), Refusal::order).close);
}

TEST_F(ChannelTest, UnknownTypeIsRefusedAndTheConnectionGoesOn) {
    greet();
    auto text = next_query();
    text.replace(text.find("\"query\""), 7, "\"dance\"");
    EXPECT_FALSE(refused(text, Refusal::unknown_type).close);
    EXPECT_TRUE(manager_.accept(next_query()));
}

TEST_F(ChannelTest, MalformedIsRefused) {
    greet();
    const std::string good =
        R"({"version":1,"time":1763974800000,"sequence":2,"id":"a","type":"query","body":{}})";
    const auto with = [&](std::string_view what, std::string_view by) {
        auto text = good;
        text.replace(text.find(what), what.size(), by);
        return text;
    };
    for (const std::string& text : {std::string("[]"),
                                    std::string("null"),
                                    std::string("{}"),
                                    std::string("}"),
                                    std::string("\xff\xfe"),
                                    good + "x",
                                    with("\"version\":1", "\"version\":\"1\""),
                                    with("\"version\":1", "\"version\":1.5"),
                                    with("\"version\":1,", ""),
                                    with("1763974800000", "-1"),
                                    with("1763974800000", "1e3"),
                                    with("\"sequence\":2", "\"sequence\":0"),
                                    with("\"sequence\":2", "\"sequence\":-1"),
                                    with("\"sequence\":2", "\"sequence\":18446744073709551615"),
                                    with("\"id\":\"a\"", "\"id\":\"\""),
                                    with("\"id\":\"a\"", "\"id\":\"" + std::string(65, 'a') + "\""),
                                    with("\"id\":\"a\"", "\"id\":\"a b\""),
                                    with("\"id\":\"a\"", "\"id\":7"),
                                    with("\"type\":\"query\"", "\"type\":\"\""),
                                    with("\"body\":{}", "\"body\":[]"),
                                    with("\"body\":{}", "\"body\":null"),
                                    with("\"body\":{}", "\"body\":{},\"more\":1"),
                                    with("\"body\":{}", "\"body\":{\"a\":[[[[[[[[[[1]]]]]]]]]]}"),
                                    with("\"body\":{}", "\"body\":{\"a\":\"\xc3\x28\"}")}) {
        EXPECT_TRUE(refused(text, Refusal::malformed).close) << text;
    }
}

// Two whose clocks come apart while they are connected would refuse each other's refusals for ever.
TEST_F(ChannelTest, ARefusalIsNotAnsweredByAnother) {
    greet();
    now_ -= 10s;
    const auto query = next_query();
    now_ += 10s;
    const auto first = refused(query, Refusal::stale);
    EXPECT_TRUE(first.answer);
    EXPECT_FALSE(first.in_time);
    const auto answer = manager_.make(MessageType::refused, first.id, to_body(first));
    now_ -= 10s;
    const auto second = firewall_.accept(answer);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().reason, Refusal::ahead);
    EXPECT_FALSE(second.error().answer);
    EXPECT_FALSE(second.error().in_time);
    now_ += 10s;
    EXPECT_TRUE(refused(firewall_.make(MessageType::decision, "x", {}), Refusal::wrong_role).in_time);
}

TEST_F(ChannelTest, WhatTheUserOfAMessageRefusesIsCounted) {
    greet();
    const auto message = manager_.accept(next_query());
    ASSERT_TRUE(message);
    const auto why = manager_.refuse(Refusal::body, "read query, field 'caller': missing", &*message);
    EXPECT_FALSE(why.close);
    EXPECT_EQ(why.id, message->id);
    EXPECT_EQ(at_manager_.counts[static_cast<std::size_t>(Refusal::body)], 1U);
    EXPECT_EQ(at_manager_.audit.size(), 1U);
}

sm::Link::CallEvent call(sm::Link::CallEvent::State state) {
    return {.call = "1f3a",
            .call_id = "c1",
            .caller = "sip:alice@example.com",
            .callee = "sip:bob@[2001:db8::9]",
            .direction = STEM_OUTBOUND,
            .user = "bob",
            .state = state,
            .at = sm::monday_nine,
            .cause = state == sm::Link::CallEvent::State::ended ? "failed with 486" : ""};
}

// Every message that our code makes fits the schema, and reads back as it was.
TEST_F(ChannelTest, MessagesFitTheSchema) {
    const auto v6 = sm::address("2001:db8::9");
    const Endpoint end{.address = v6, .port = 30000};
    sm::Decision bounded{sm::Accept{}, "bob", "x"};
    bounded.max_duration = 3600s;
    const std::vector<std::tuple<bool, MessageType, json::object>> messages = {
        {true, MessageType::hello, hello()},
        {true, MessageType::query, query()},
        {false, MessageType::decision,
         to_body(sm::Decision{sm::Accept{{sm::address("192.0.2.7"), v6}}, "bob", "x"})},
        {false, MessageType::decision,
         to_body(sm::Decision{sm::Forward{"sip:carol@example.org", {v6}}, "bob", "x"})},
        {false, MessageType::decision,
         to_body(sm::Decision{sm::Reject{.status = 503, .phrase = "Later", .retry_after = 7s}, "", ""})},
        {true, MessageType::query,
         to_body(sm::Query{.caller = "sip:a@example.org",
                           .callee = "sip:b@example.org",
                           .call_id = "c",
                           .direction = STEM_OUTBOUND,
                           .at = sm::monday_nine,
                           .source = v6,
                           .method = "INVITE",
                           .authorization = {"Digest a=\"b\"", "Digest c=d"}})},
        {false, MessageType::decision,
         to_body(
             sm::Decision{sm::Challenge{.values = {"Digest realm=\"stem\""}, .stale = true}, "", "who?"})},
        {false, MessageType::decision, to_body(sm::Decision{sm::Drop{.spam = true}, "", "spam"})},
        {false, MessageType::decision,
         to_body(sm::Decision{sm::Drop{.spam = true}, "", "spam", 600s, "spam *@example.org"})},
        {false, MessageType::decision, to_body(sm::Decision{sm::Reject{}, "", "", 600s, ""})},
        {true, MessageType::learn,
         to_body(sm::Link::Binding{"sip:bob@example.org", "sip:bob@[2001:db8::9]", v6, 60s, false,
                                   *QValue::parse("0.5")})},
        {true, MessageType::report,
         to_body(sm::Link::StreamEnd{"sip:a@example.org", "sip:b@example.org", "c", end, end,
                                     "flow_byte_rate", true})},
        {true, MessageType::call, to_body(call(sm::Link::CallEvent::State::going))},
        {true, MessageType::call, to_body(call(sm::Link::CallEvent::State::ended))},
        {true, MessageType::calls,
         to_body(Calls{.first = true,
                       .last = false,
                       .calls = {call(sm::Link::CallEvent::State::going),
                                 call(sm::Link::CallEvent::State::answered)}})},
        {true, MessageType::calls, to_body(Calls{.first = true, .last = true, .calls = {}})},
        {false, MessageType::decision, to_body(bounded)},
        {false, MessageType::thresholds,
         to_body(ThresholdsPush{.version = 3, .values = {{"keepalive_rate", 50}}})},
        {false, MessageType::deny,
         to_body(DenyInstruction{must(Cidr::parse("2001:db8::/32")), 60s, "scans"})},
        {false, MessageType::snapshot, to_body(SnapshotHead{"{}", "AAAA", "PEM", 2})},
        {false, MessageType::snapshot_part, to_body(SnapshotPart{.index = 1, .data = "{\"users\":[]}"})},
        {true, MessageType::ack, to_body(Ack{.ok = false, .detail = "no"})},
        {true, MessageType::ping, {}},
        {false, MessageType::pong, {}},
        {false, MessageType::refused, to_body(Refused{.reason = Refusal::stale, .detail = "old"})}};
    std::set<std::string_view> seen;
    for (const auto& [from_firewall, type, body] : messages) {
        auto& sender = from_firewall ? firewall_ : manager_;
        const auto text = sender.make(type, sender.fresh_id(), body);
        EXPECT_EQ(schema().fault(json::parse(text)), "") << text;
        seen.insert(label_of(type));
    }
    std::size_t types = 0;
#define STEM_MESSAGE(name, label, sender, help) types += seen.contains(label) ? 1U : 100U;
    STEM_MESSAGES(STEM_MESSAGE)
#undef STEM_MESSAGE
    EXPECT_EQ(types, seen.size()) << "each type is tried";
    EXPECT_THAT(schema().fault(json::parse(
                    R"({"version":1,"time":1,"sequence":1,"id":"a","type":"ping","body":{"x":1}})")),
                HasSubstr("oneOf"));
    EXPECT_NE(schema().fault(
                  json::parse(R"({"version":2,"time":1,"sequence":1,"id":"a","type":"ping","body":{}})")),
              "");
}

TEST(ChannelBodies, CallsReadBackAsTheyWere) {
    using State = sm::Link::CallEvent::State;
    const auto ended = must(call_from(to_body(call(State::ended))));
    EXPECT_EQ(ended.call, "1f3a");
    EXPECT_EQ(ended.direction, STEM_OUTBOUND);
    EXPECT_EQ(ended.user, "bob");
    EXPECT_EQ(ended.state, State::ended);
    EXPECT_EQ(ended.at, sm::monday_nine);
    EXPECT_EQ(ended.cause, "failed with 486");
    const auto calls = must(calls_from(to_body(Calls{.first = true, .calls = {call(State::answered)}})));
    EXPECT_TRUE(calls.first);
    EXPECT_FALSE(calls.last);
    ASSERT_EQ(calls.calls.size(), 1U);
    EXPECT_EQ(calls.calls[0].state, State::answered);
    sm::Decision bounded{sm::Forward{"sip:carol@example.org", {}}, "bob", "x"};
    bounded.max_duration = 60s;
    EXPECT_EQ(must(decision_from(to_body(bounded))).max_duration, 60s);
}

TEST(ChannelBodies, CallsAreCutToTheirBound) {
    auto long_one = call(sm::Link::CallEvent::State::answered);
    long_one.caller = "sip:" + std::string(1019, 'a') + "\xc3\xa4" + std::string(3000, 'b');
    const auto back = must(call_from(to_body(long_one)));
    EXPECT_EQ(back.caller.size(), 1023U) << "not in the middle of a character";
    std::vector<sm::Link::CallEvent> many(most_calls, long_one);
    std::size_t octets = 0;
    for (const auto& one : many) {
        octets += size_in_calls(one);
    }
    EXPECT_GT(octets, calls_limit) << "so a sender must count them";
}

// Each foreign octet becomes three by being sent.
TEST(ChannelBodies, CallsOfForeignOctetsAreCutToTheirBoundAsTheyAreSent) {
    auto foreign = call(sm::Link::CallEvent::State::answered);
    foreign.caller = "sip:" + std::string(900, '\xff') + "@example.com";
    const std::vector<sm::Link::CallEvent> many(40, foreign);
    std::size_t octets = 0;
    for (const auto& one : many) {
        octets += size_in_calls(one);
    }
    const auto sent = encode(0, 1, "s1", MessageType::calls, to_body(Calls{.first = true, .calls = many}));
    EXPECT_LE(sent.size(), octets + 200) << "as large as the sender has counted";
    const auto message = decode(sent, default_message_limit);
    ASSERT_TRUE(message) << message.error().detail;
    const auto back = must(calls_from(message->body));
    ASSERT_EQ(back.calls.size(), many.size());
    EXPECT_EQ(back.calls[0].caller.substr(0, 7), "sip:\xef\xbf\xbd");
    EXPECT_LE(back.calls[0].caller.size(), 1024U);
}

TEST(ChannelBodies, CredentialsThatNobodyCanReadAreLeftOut) {
    sm::Query query{.caller = "sip:alice@example.com",
                    .callee = "sip:bob@example.org",
                    .call_id = "c1",
                    .at = sm::monday_nine};
    query.authorization = {"Digest username=\"" + std::string(690, '\xff') + "\"",
                           "Digest username=\"alice\""};
    const auto sent = encode(0, 1, "s1", MessageType::query, to_body(query));
    const auto message = decode(sent, default_message_limit);
    ASSERT_TRUE(message);
    EXPECT_THAT(must(query_from(message->body)).authorization,
                testing::ElementsAre("Digest username=\"alice\""))
        << "and the query is not refused for them";
}

TEST(ChannelBodies, BrokenCallsNameWhatIsBroken) {
    const auto fault = [](const char* name, json::value value) {
        auto body = to_body(call(sm::Link::CallEvent::State::going));
        body[name] = std::move(value);
        return error_of(call_from(body)).message();
    };
    EXPECT_THAT(fault("call", ""), HasSubstr("'call'"));
    EXPECT_THAT(fault("call", json::string(33, 'a')), HasSubstr("'call'"));
    EXPECT_THAT(fault("state", "gone"), HasSubstr("'state'"));
    EXPECT_THAT(fault("direction", "up"), HasSubstr("'direction'"));
    EXPECT_THAT(fault("at", -1), HasSubstr("'at'"));
    EXPECT_THAT(fault("colour", "red"), HasSubstr("'colour'"));
    auto over =
        to_body(Calls{.first = true, .last = true, .calls = {call(sm::Link::CallEvent::State::ended)}});
    EXPECT_THAT(error_of(calls_from(over)).message(), HasSubstr("it has ended"));
    over["calls"] = json::array(most_calls + 1, to_body(call(sm::Link::CallEvent::State::going)));
    EXPECT_THAT(error_of(calls_from(over)).message(), HasSubstr("256"));
    auto reject = to_body(sm::Decision{sm::Reject{}, "", ""});
    reject["max_duration"] = 5;
    EXPECT_THAT(error_of(decision_from(reject)).message(), HasSubstr("max_duration"));
}

TEST(ChannelBodies, ReadBackAsTheyWere) {
    const sm::Decision reject{sm::Reject{.status = 503, .phrase = "Later", .retry_after = 7s}, "bob", "why"};
    const auto back = must(decision_from(to_body(reject)));
    EXPECT_EQ(std::get<sm::Reject>(back.action).retry_after, 7s);
    EXPECT_EQ(std::get<sm::Reject>(back.action).phrase, "Later");
    EXPECT_EQ(back.user, "bob");
    EXPECT_EQ(back.deny, 0s);
    const auto denying = must(
        decision_from(to_body(sm::Decision{sm::Drop{.spam = true}, "", "", 600s, "spam *@example.org"})));
    EXPECT_EQ(denying.deny, 600s);
    EXPECT_EQ(denying.deny_note, "spam *@example.org");
    EXPECT_FALSE(decision_from(to_body(sm::Decision{sm::Accept{}, "", "", 600s, ""})));
    const sm::Decision forward{sm::Forward{"sip:c@example.org", {sm::address("2001:db8::9")}}, "", ""};
    EXPECT_EQ(std::get<sm::Forward>(must(decision_from(to_body(forward))).action).terminals,
              std::vector{sm::address("2001:db8::9")});
    const auto binding = must(binding_from(to_body(
        sm::Link::Binding{"sip:bob@example.org", "sip:bob@192.0.2.7", sm::address("192.0.2.7"), 0s, true})));
    EXPECT_TRUE(binding.all);
    EXPECT_EQ(binding.lifetime, 0s);
    const auto deny = must(deny_from(to_body(DenyInstruction{must(Cidr::parse("192.0.2.0/24")), 0s, ""})));
    EXPECT_EQ(deny.source.to_string(), "192.0.2.0/24");
}

TEST(ChannelBodies, BrokenOnesNameTheField) {
    const auto fault = [](const char* text, auto read) {
        const auto result = read(json::parse(text).as_object());
        return result ? std::string("no fault") : result.error().message();
    };
    EXPECT_THAT(fault(R"({"caller":"a","callee":"b","call_id":"c","direction":"up","at":1})", query_from),
                HasSubstr("direction"));
    EXPECT_THAT(
        fault(R"({"caller":"a","callee":"b","call_id":"c","direction":"inbound","at":1,"x":1})", query_from),
        HasSubstr("'x'"));
    EXPECT_THAT(fault(R"({"caller":"a","callee":"b","call_id":"c","direction":"inbound"})", query_from),
                HasSubstr("'at'"));
    EXPECT_THAT(fault(R"({"action":"maybe"})", decision_from), HasSubstr("action"));
    EXPECT_THAT(fault(R"({"action":"reject","status":200})", decision_from), HasSubstr("status"));
    EXPECT_THAT(fault(R"({"action":"accept","terminals":["no"]})", decision_from), HasSubstr("terminals"));
    EXPECT_THAT(fault(R"({"address_of_record":"a","address":"192.0.2.1","lifetime":-1})", binding_from),
                HasSubstr("lifetime"));
    EXPECT_THAT(fault(R"({"source":{"address":"192.0.2.1","port":70000},"destination":{},"cause":"x"})",
                      stream_end_from),
                HasSubstr("source"));
    EXPECT_THAT(fault(R"({"version":1,"values":{"a":"b"}})", thresholds_from), HasSubstr("values.a"));
    EXPECT_THAT(fault(R"({"source":"everyone","lifetime":1})", deny_from), HasSubstr("source"));
    EXPECT_THAT(fault(R"({"detail":"x"})", ack_from), HasSubstr("ok"));
    EXPECT_THAT(fault(R"({"x":1})", nothing_from), HasSubstr("not empty"));
}

// docs/control-channel.md has every reason and every type.
TEST(ChannelDocument, NamesAllReasonsAndTypes) {
    std::ifstream in(STEM_SOURCE_DIR "/docs/control-channel.md");
    std::ostringstream text;
    text << in.rdbuf();
    ASSERT_TRUE(in);
#define STEM_REFUSAL(name, label, closes, help)                                                              \
    EXPECT_THAT(text.str(), HasSubstr(std::string("| `") + (label) + "` | " + ((closes) ? "yes" : "no") +    \
                                      " | " + (help)));
    STEM_REFUSALS(STEM_REFUSAL)
#undef STEM_REFUSAL
#define STEM_MESSAGE(name, label, sender, help)                                                              \
    EXPECT_THAT(text.str(), HasSubstr(std::string("| `") + (label) + "` | "));
    STEM_MESSAGES(STEM_MESSAGE)
#undef STEM_MESSAGE
}

// An octet of a caller's that is no UTF-8 must not end a connection: the form of a message is its sender's
// affair.
TEST(Envelope, ForeignOctetsAreReplaced) {
    const auto text = encode(1, 1, "1", MessageType::ack,
                             to_body(Ack{.ok = false, .detail = "caller sip:a\xff\xc3 and \xe2\x82\xac"}));
    const auto read = decode(text, default_message_limit);
    ASSERT_TRUE(read) << read.error().detail;
    const auto ack = ack_from(read->body);
    ASSERT_TRUE(ack);
    EXPECT_EQ(ack->detail, "caller sip:a\xef\xbf\xbd\xef\xbf\xbd and \xe2\x82\xac");
}

} // namespace
} // namespace stem::channel
