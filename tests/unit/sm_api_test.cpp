// SPDX-License-Identifier: Apache-2.0
#include "sm/api.h"
#include "sm/auth/digest.h"
#include "sm/auth/password.h"
#include "sm_fixture.h"

#include <gmock/gmock.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdlib>
#include <set>

namespace stem::sm {
namespace {

namespace json = boost::json;

class SmApi : public DirectoryTest {
  protected:
    ApiReply ask(std::string_view method, std::string_view target, std::string_view body = {}) {
        Admission admission(directory(), {}, trail_.get(), [] { return monday_nine; });
        return handle({.directory = directory(), .admission = admission, .now = monday_nine, .who = "api"},
                      method, target, body);
    }
    std::unique_ptr<audit::Trail> trail_; // nullptr: nothing is recorded

    // The reply's JSON, where `status` came.
    std::string expect(int status, std::string_view method, std::string_view target,
                       std::string_view body = {}) {
        const ApiReply reply = ask(method, target, body);
        std::string text = json::serialize(reply.json);
        EXPECT_EQ(reply.status, status) << method << ' ' << target << ' ' << body << ": " << text;
        return text;
    }
    // A refusal whose message names `thing`.
    void refuse(int status, std::string_view thing, std::string_view method, std::string_view target,
                std::string_view body = {}) {
        const ApiReply reply = ask(method, target, body);
        const std::string text = json::serialize(reply.json);
        EXPECT_EQ(reply.status, status) << method << ' ' << target << ' ' << body << ": " << text;
        const auto* error = reply.json.is_object() ? reply.json.get_object().if_contains("error") : nullptr;
        ASSERT_NE(error, nullptr) << text;
        EXPECT_NE(std::string(error->at("message").as_string()).find(thing), std::string::npos) << text;
        EXPECT_FALSE(error->at("cause").as_string().empty()) << text;
    }
};

void same(const std::string& text, std::string_view expected) {
    EXPECT_EQ(json::parse(text), json::parse({expected.data(), expected.size()})) << text;
}

TEST_F(SmApi, Users) {
    same(expect(200, "GET", "/v1/users"), R"({"users":[]})");
    expect(201, "POST", "/v1/profiles", R"({"name":"office"})");
    const char* alice = R"({"name":"alice","display_name":"Alice Ä","profile":"office",
        "uris":["sip:alice@example.org"],"locations":[]})";
    same(
        expect(
            201, "POST", "/v1/users",
            R"({"name":"alice","display_name":"Alice Ä","profile":"office","uris":["sip:alice@Example.org"]})"),
        alice);
    same(expect(200, "GET", "/v1/users/alice"), alice);
    same(expect(200, "GET", "/v1/users/%61lice"), alice);
    same(
        expect(200, "PUT", "/v1/users/alice", R"({"display_name":"A","profile":null})"),
        R"({"name":"alice","display_name":"A","profile":null,"uris":["sip:alice@example.org"],"locations":[]})");
    same(
        expect(200, "GET", "/v1/users"),
        R"({"users":[{"name":"alice","display_name":"A","profile":null,"uris":["sip:alice@example.org"]}]})");
    EXPECT_EQ(expect(204, "DELETE", "/v1/users/alice"), "null");
    refuse(404, "alice", "GET", "/v1/users/alice");
    refuse(404, "alice", "PUT", "/v1/users/alice", R"({"profile":"office"})");
    refuse(404, "alice", "DELETE", "/v1/users/alice");
}

TEST_F(SmApi, BadUserBodiesNameTheField) {
    refuse(400, "not a JSON object", "POST", "/v1/users");
    refuse(400, "not JSON", "POST", "/v1/users", "{");
    refuse(400, "not a JSON object", "POST", "/v1/users", "[]");
    refuse(400, "'name'", "POST", "/v1/users", "{}");
    refuse(400, "'name'", "POST", "/v1/users", R"({"name":7})");
    refuse(400, "'uris'", "POST", "/v1/users", R"({"name":"a","uris":"sip:a@b"})");
    refuse(400, "'uris'", "POST", "/v1/users", R"({"name":"a","uris":[1]})");
    refuse(400, "'colour'", "POST", "/v1/users", R"({"name":"a","colour":"red"})");
    refuse(404, "nosuch", "POST", "/v1/users", R"({"name":"a","profile":"nosuch"})");
    expect(201, "POST", "/v1/users", R"({"name":"a"})");
    refuse(409, "a", "POST", "/v1/users", R"({"name":"a"})");
    refuse(413, "octets", "POST", "/v1/users", std::string(max_body_length + 1, ' '));
    refuse(400, "not JSON", "POST", "/v1/users", std::string(1000, '['));
}

// As docs/openapi.json says in its description.
TEST_F(SmApi, NullCountsAsLeftAway) {
    expect(201, "POST", "/v1/users",
           R"({"name":"alice","display_name":null,"profile":null,"uris":null,"max_calls":null})");
    same(expect(200, "GET", "/v1/users/alice"),
         R"({"name":"alice","display_name":"","profile":null,"uris":[],"locations":[]})");
    expect(201, "POST", "/v1/users/alice/locations",
           R"({"address":"192.0.2.7","contact":null,"expires_at":null,"expires_in":null,"q":null})");
    same(expect(200, "GET", "/v1/users/alice/locations"),
         R"({"locations":[{"contact":"sip:192.0.2.7","address":"192.0.2.7","origin":"set","uri":null,
             "expires_at":null,"q":"1"}]})");
    expect(201, "POST", "/v1/spam", R"({"caller":"*@spam.example","note":null,"deny_seconds":null})");
    refuse(400, "'name'", "POST", "/v1/users", R"({"name":null})");
    refuse(400, "'address'", "POST", "/v1/users/alice/locations", R"({"address":null})");
    EXPECT_NE(expect(200, "GET", "/v1/openapi.json").find("null counts as a field that is left away"),
              std::string::npos);
}

TEST_F(SmApi, UrisAndLocations) {
    user("alice");
    expect(201, "POST", "/v1/users/alice/uris", R"({"uri":"tel:+49-301"})");
    same(expect(200, "GET", "/v1/users/alice/uris"), R"({"uris":["sip:alice@example.org","tel:+49301"]})");
    refuse(409, "alice", "POST", "/v1/users/alice/uris", R"({"uri":"tel:+49301"})");
    refuse(400, "'uri'", "POST", "/v1/users/alice/uris", "{}");
    refuse(400, "'uri'", "DELETE", "/v1/users/alice/uris");
    expect(204, "DELETE", "/v1/users/alice/uris?uri=tel:+49301");
    refuse(404, "tel:+49301", "DELETE", "/v1/users/alice/uris?uri=tel:%2B49301");
    refuse(404, "nobody", "GET", "/v1/users/nobody/uris");

    expect(201, "POST", "/v1/users/alice/locations", R"({"address":"2001:db8::7","expires_in":60})");
    expect(
        201, "POST", "/v1/users/alice/locations",
        R"({"address":"192.0.2.7","contact":"sip:a@192.0.2.7:5070","expires_at":"2026-12-01T00:00:00Z","q":"0.50"})");
    same(expect(200, "GET", "/v1/users/alice/locations"),
         R"({"locations":[
            {"contact":"sip:[2001:db8::7]","address":"2001:db8::7","origin":"set","uri":null,
             "expires_at":"2026-11-23T09:01:00Z","q":"1"},
            {"contact":"sip:a@192.0.2.7:5070","address":"192.0.2.7","origin":"set","uri":null,
             "expires_at":"2026-12-01T00:00:00Z","q":"0.5"}]})");
    refuse(400, "'address'", "POST", "/v1/users/alice/locations", R"({"address":"here"})");
    refuse(400, "'q'", "POST", "/v1/users/alice/locations", R"({"address":"192.0.2.1","q":"1.1"})");
    refuse(400, "'q'", "POST", "/v1/users/alice/locations", R"({"address":"192.0.2.1","q":0.5})");
    refuse(400, "'expires_in'", "POST", "/v1/users/alice/locations",
           R"({"address":"192.0.2.1","expires_in":0})");
    refuse(400, "'expires_at'", "POST", "/v1/users/alice/locations",
           R"({"address":"192.0.2.1","expires_at":"x"})");
    refuse(400, "'expires_at'", "POST", "/v1/users/alice/locations",
           R"({"address":"192.0.2.1","expires_at":"0","expires_in":5})");
    same(expect(200, "DELETE", "/v1/users/alice/locations?contact=sip:a@192.0.2.7:5070"), R"({"removed":1})");
    refuse(404, "sip:x", "DELETE", "/v1/users/alice/locations?contact=sip:x");
    same(expect(200, "DELETE", "/v1/users/alice/locations"), R"({"removed":1})");
    refuse(400, "'contct'", "DELETE", "/v1/users/alice/locations?contct=sip:x");
    refuse(404, "nobody", "POST", "/v1/users/nobody/locations", R"({"address":"192.0.2.1"})");
}

TEST_F(SmApi, ProfilesAndRules) {
    same(
        expect(
            201, "POST", "/v1/profiles",
            R"({"name":"office","default":{"action":"reject"},"rules":[{"caller":"*@example.org","action":"accept",
                "when":"mon-fri 8:00-18:00"}]})"),
        R"({"name":"office","default":{"action":"reject","status":403},"rules":[{"position":1,
            "caller":"*@example.org","when":"mon-fri 08:00-18:00","action":"accept"}]})");
    expect(201, "POST", "/v1/profiles/office/rules",
           R"({"caller":"+49*","action":"forward","target":"sip:b@example.org","position":1})");
    same(expect(200, "GET", "/v1/profiles/office/rules/1"),
         R"({"position":1,"caller":"+49*","when":null,"action":"forward","target":"sip:b@example.org"})");
    expect(200, "POST", "/v1/profiles/office/rules/1", R"({"position":2})");
    expect(200, "PUT", "/v1/profiles/office/rules/1", R"({"caller":"anonymous","action":"drop"})");
    same(expect(200, "GET", "/v1/profiles/office/rules"),
         R"({"rules":[{"position":1,"caller":"anonymous","when":null,"action":"drop"},
            {"position":2,"caller":"+49*","when":null,"action":"forward","target":"sip:b@example.org"}]})");
    expect(204, "DELETE", "/v1/profiles/office/rules/2");
    same(expect(200, "PUT", "/v1/profiles/office", R"({"default":{"action":"accept"}})"),
         R"({"name":"office","default":{"action":"accept"},
            "rules":[{"position":1,"caller":"anonymous","when":null,"action":"drop"}]})");
    const json::value all = json::parse(expect(200, "GET", "/v1/profiles"));
    EXPECT_EQ(all.at("profiles").as_array().size(), 1U);
    expect(201, "POST", "/v1/users", R"({"name":"alice","profile":"office"})");
    refuse(409, "alice", "DELETE", "/v1/profiles/office");
    expect(204, "DELETE", "/v1/users/alice");
    expect(204, "DELETE", "/v1/profiles/office");
    refuse(404, "office", "GET", "/v1/profiles/office");
    refuse(404, "office", "GET", "/v1/profiles/office/rules");
}

TEST_F(SmApi, BadRulesNameTheField) {
    expect(201, "POST", "/v1/profiles", R"({"name":"office","rules":[{"caller":"*","action":"accept"}]})");
    const auto add = [&](std::string_view thing, std::string_view body) {
        refuse(400, thing, "POST", "/v1/profiles/office/rules", body);
        refuse(400, thing, "PUT", "/v1/profiles/office/rules/1", body);
    };
    add("'caller'", R"({"action":"accept"})");
    add("'caller'", R"({"caller":"bob","action":"accept"})");
    add("'when'", R"({"caller":"*","action":"accept","when":"always"})");
    add("'action'", R"({"caller":"*","action":"explode"})");
    add("'action'", R"({"caller":"*"})");
    add("'status'", R"({"caller":"*","action":"reject","status":200})");
    add("'status'", R"({"caller":"*","action":"reject","status":"486"})");
    add("'status'", R"({"caller":"*","action":"accept","status":486})");
    add("'target'", R"({"caller":"*","action":"forward"})");
    add("'target'", R"({"caller":"*","action":"drop","target":"sip:a@b"})");
    refuse(400, "'position'", "POST", "/v1/profiles/office/rules",
           R"({"caller":"*","action":"drop","position":0})");
    refuse(400, "position 9", "POST", "/v1/profiles/office/rules",
           R"({"caller":"*","action":"drop","position":9})");
    refuse(400, "'position'", "PUT", "/v1/profiles/office/rules/1",
           R"({"caller":"*","action":"drop","position":1})");
    refuse(400, "'position'", "POST", "/v1/profiles/office/rules/1", "{}");
    refuse(404, "no rule 2", "POST", "/v1/profiles/office/rules/1", R"({"position":2})");
    refuse(404, "rule 2", "GET", "/v1/profiles/office/rules/2");
    refuse(404, "no rule 2", "DELETE", "/v1/profiles/office/rules/2");
    refuse(400, "'first'", "GET", "/v1/profiles/office/rules/first");
    refuse(400, "'rules[1]'", "POST", "/v1/profiles",
           R"({"name":"x","rules":[{"caller":"*","action":"drop"},{"caller":"*"}]})");
    refuse(400, "'default'", "POST", "/v1/profiles", R"({"name":"x","default":{"action":"x"}})");
    refuse(400, "'default'", "PUT", "/v1/profiles/office", "{}");
    refuse(400, "not a JSON object", "PUT", "/v1/profiles/office");
}

TEST_F(SmApi, Spam) {
    user("alice");
    same(expect(201, "POST", "/v1/spam", R"({"caller":"*@Spam.example","note":"ads"})"),
         R"({"caller":"*@spam.example","user":null,"note":"ads"})");
    expect(201, "POST", "/v1/spam", R"({"caller":"+49 30*","user":"alice"})");
    same(expect(200, "GET", "/v1/spam"),
         R"({"spam":[{"caller":"*@spam.example","user":null,"note":"ads"},
            {"caller":"+4930*","user":"alice","note":""}]})");
    same(expect(200, "GET", "/v1/spam?user=alice"),
         R"({"spam":[{"caller":"+4930*","user":"alice","note":""}]})");
    refuse(409, "+4930*", "POST", "/v1/spam", R"({"caller":"+4930*","user":"alice"})");
    refuse(404, "nobody", "GET", "/v1/spam?user=nobody");
    refuse(400, "'caller'", "POST", "/v1/spam", "{}");
    refuse(400, "pattern", "DELETE", "/v1/spam");
    refuse(404, "+4930*", "DELETE", "/v1/spam?caller=+4930*");
    expect(204, "DELETE", "/v1/spam?caller=%2B4930*&user=alice");
    expect(204, "DELETE", "/v1/spam?caller=*@spam.example");
    same(expect(200, "GET", "/v1/spam"), R"({"spam":[]})");
}

TEST_F(SmApi, ExplainsADecision) {
    user("alice", {rule("*@example.com", forward("sip:bob@example.org")), rule("+49*", reject(486))});
    user("bob");
    must(directory().set_location("bob", "", address("2001:db8::7"), monday_nine + std::chrono::hours(1)));
    const std::string to = "&to=sip:alice@example.org";
    // Without the steps, which have a test of their own.
    const auto decide = [&](const std::string& query) {
        json::value decision = json::parse(expect(200, "GET", "/v1/decision?" + query));
        decision.as_object().erase("steps");
        return json::serialize(decision);
    };
    same(decide("from=sip:x@example.com" + to),
         R"({"action":"forward","target":"sip:bob@example.org","terminals":["2001:db8::7"],"user":"bob",
            "why":"profile alice rule 1: caller *@example.com -> forward to sip:bob@example.org; user bob has no profile -> accept"})");
    const json::value later =
        json::parse(expect(200, "GET", "/v1/decision?at=2026-11-23T10:00:00Z&from=sip:x@example.com" + to));
    EXPECT_TRUE(later.at("terminals").as_array().empty());
    same(
        decide("from=tel:+49301" + to),
        R"({"action":"reject","status":486,"user":"alice","why":"profile alice rule 2: caller +49* -> reject 486"})");
    same(decide("direction=outbound&from=sip:alice@example.org&to=sip:x@example.com"),
         R"({"action":"accept","terminals":[],"user":null,"why":"outgoing calls -> accept"})");
    must(directory().add_spam({pattern("*@example.com"), "", ""}));
    const json::value spam = json::parse(expect(200, "GET", "/v1/decision?from=sip:x@example.com" + to));
    EXPECT_EQ(spam.at("action"), "drop");
    EXPECT_EQ(spam.at("spam"), true);
    refuse(400, "URI", "GET", "/v1/decision?from=sip:x@example.com");
    refuse(400, "'soon'", "GET", "/v1/decision?at=soon&from=sip:x@example.com" + to);
    refuse(400, "'sideways'", "GET", "/v1/decision?direction=sideways&from=sip:x@example.com" + to);
    refuse(400, "twice", "GET", "/v1/decision?from=sip:x@y&from=sip:z@y" + to);
}

TEST_F(SmApi, ExplainsEachStepOfADecision) {
    user("alice", {rule("*@bad.example", reject(603)),
                   rule("*", reject(486), "sat,sun"),
                   {.caller = pattern("regex:sip:.*@example\\.(com|net)"),
                    .when = {},
                    .registered = false,
                    .then = forward("sip:voicemail@example.org")}});
    const std::string target = "/v1/decision?from=sip:x@example.com&to=sip:alice@example.org";
    const auto steps = [&] {
        std::vector<std::string> list;
        const json::value decision = json::parse(expect(200, "GET", target));
        for (const auto& step : decision.at("steps").as_array()) {
            list.push_back(std::string(step.at("step").as_string()) +
                           (step.at("decided").as_bool() ? "!" : ": ") +
                           (step.at("decided").as_bool() ? "" : std::string(step.at("why").as_string())));
        }
        return list;
    };
    setenv("TZ", "UTC", 1);
    EXPECT_THAT(steps(),
                testing::ElementsAre(
                    "spam list of all users: none of its 0 patterns is sip:x@example.com",
                    "user who is called: sip:alice@example.org is user alice",
                    "spam list of user alice: none of its 0 patterns is sip:x@example.com",
                    "profile alice rule 1: the caller is sip:x@example.com, not *@bad.example",
                    "profile alice rule 2: Mon 09:00 is not within sat,sun", "profile alice rule 3!"));
    must(directory().set_location("alice", "", address("2001:db8::7"), std::nullopt));
    const auto now = steps();
    ASSERT_EQ(now.size(), 7U);
    EXPECT_EQ(now[5], "profile alice rule 3: the callee is registered");
    EXPECT_EQ(now[6], "profile alice default!");
}

TEST_F(SmApi, RulesByRegistrationAndExpression) {
    expect(201, "POST", "/v1/profiles", R"({"name":"p","max_calls":3,"rules":[
        {"caller":"regex:sip:[0-9]+@.*","registered":"no","action":"drop"}]})");
    same(expect(200, "GET", "/v1/profiles/p"),
         R"({"name":"p","default":{"action":"accept"},"max_calls":3,"rules":[
        {"position":1,"caller":"regex:sip:[0-9]+@.*","when":null,"registered":"no","action":"drop"}]})");
    expect(200, "PUT", "/v1/profiles/p", R"({"max_calls":0})");
    EXPECT_EQ(expect(200, "GET", "/v1/profiles/p").find("max_calls"), std::string::npos);
    refuse(400, "missing )", "POST", "/v1/profiles/p/rules", R"({"caller":"regex:(","action":"drop"})");
    refuse(400, "octets", "POST", "/v1/profiles/p/rules",
           R"({"caller":"regex:)" + std::string(300, 'a') + R"(","action":"drop"})");
    refuse(400, "program", "POST", "/v1/profiles/p/rules",
           R"({"caller":"regex:(ab|cd){900}","action":"drop"})");
    refuse(400, "'registered'", "POST", "/v1/profiles/p/rules",
           R"({"caller":"*","registered":"maybe","action":"drop"})");
    refuse(400, "'max_calls'", "PUT", "/v1/profiles/p", R"({"max_calls":-1})");
    expect(201, "POST", "/v1/users", R"({"name":"alice","max_calls":2})");
    EXPECT_NE(expect(200, "PUT", "/v1/users/alice", R"({"display_name":"A"})").find("\"max_calls\":2"),
              std::string::npos);
}

TEST_F(SmApi, ImportsASpamListWholeOrNotAtAll) {
    user("alice");
    const auto import = [](std::string_view text, std::string_view more = "") {
        return json::serialize(
                   json::object{{"file", "list.csv"}, {"text", json::string_view(text.data(), text.size())}})
            .replace(0, 1, "{" + std::string(more));
    };
    same(expect(200, "POST", "/v1/spam/import",
                import("caller,note\n# a comment\n\n*@spam.example\r\n+881*, satellite phones\n"
                       "\"regex:sip:[0-9]{3,5}@.*\",\"short, of \"\"anybody\"\"\"\n*@spam.example\n")),
         R"({"file":"list.csv","user":null,"added":3,"present":1})");
    same(expect(200, "GET", "/v1/spam"), R"({"spam":[
        {"caller":"*@spam.example","user":null,"note":""},
        {"caller":"+881*","user":null,"note":"satellite phones"},
        {"caller":"regex:sip:[0-9]{3,5}@.*","user":null,"note":"short, of \"anybody\""}]})");
    same(expect(200, "POST", "/v1/spam/import",
                import("+881*\n*@new.example\n", R"("user":"alice","deny_seconds":60,)")),
         R"({"file":"list.csv","user":"alice","added":2,"present":0})");
    same(expect(200, "GET", "/v1/spam?user=alice"), R"({"spam":[
        {"caller":"+881*","user":"alice","note":"","deny_seconds":60},
        {"caller":"*@new.example","user":"alice","note":"","deny_seconds":60}]})");
    refuse(400, "list.csv:2: read caller pattern 'x y'", "POST", "/v1/spam/import",
           import("*@a.example\nx y\n"));
    refuse(400, "list.csv:1: read fields: quotes", "POST", "/v1/spam/import", import("\"*@a.example\n"));
    refuse(400, "list.csv:1: read fields: 'c' behind the note", "POST", "/v1/spam/import",
           import("*@a.example,b,c\n"));
    refuse(400, "list.csv:3: read note", "POST", "/v1/spam/import",
           import("*@a.example\n*@b.example\n*@c.example," + std::string(300, 'n') + "\n"));
    std::string many;
    for (int i = 0; i < 101; ++i) {
        many += "regex:sip:" + std::to_string(i) + "@.*\n";
    }
    refuse(400, "list.csv:100: add spam caller", "POST", "/v1/spam/import", import(many));
    refuse(404, "nobody", "POST", "/v1/spam/import", import("*@a.example\n", R"("user":"nobody",)"));
    EXPECT_EQ(directory().spam("").size(), 3U) << "nothing of what failed";
    reopen();
    EXPECT_EQ(directory().spam(std::nullopt).size(), 5U);
}

TEST_F(SmApi, Limits) {
    const char* whole = R"({"name":"sat","user":null,"prefix":"+881","when":"sat,sun",
        "calls_per_minute":{"warning":2,"critical":5},"concurrent":{"warning":null,"critical":2},
        "duration":{"warning":600,"critical":null},"sequential":{"warning":null,"critical":null},
        "status":486,"block_seconds":60})";
    same(expect(201, "POST", "/v1/limits", whole), whole);
    same(expect(200, "GET", "/v1/limits"), std::string(R"({"limits":[)") + whole + "]}");
    refuse(409, "sat", "POST", "/v1/limits", whole);
    same(
        expect(200, "PUT", "/v1/limits/sat", R"({"concurrent":{"critical":1}})"),
        R"({"name":"sat","user":null,"prefix":null,"when":null,"calls_per_minute":{"warning":null,"critical":null},
             "concurrent":{"warning":null,"critical":1},"duration":{"warning":null,"critical":null},
             "sequential":{"warning":null,"critical":null},"status":403,"block_seconds":0})");
    expect(201, "PUT", "/v1/limits/new", R"({"sequential":{"critical":1}})");
    refuse(400, "another", "PUT", "/v1/limits/new", R"({"name":"old","sequential":{"critical":1}})");
    refuse(400, "'concurrent'", "PUT", "/v1/limits/new", R"({"concurrent":{"critical":"many"}})");
    refuse(400, "limits nothing", "PUT", "/v1/limits/new", "{}");
    refuse(400, "not a JSON object", "PUT", "/v1/limits/new");
    expect(204, "DELETE", "/v1/limits/new");
    refuse(404, "new", "GET", "/v1/limits/new");
    refuse(404, "new", "DELETE", "/v1/limits/new");
    user("alice");
    must(directory().block({"alice", monday_nine + std::chrono::minutes(1), "test"}));
    must(directory().block({"*", monday_nine - std::chrono::minutes(1), "over"}));
    same(expect(200, "GET", "/v1/blocks"),
         R"({"blocks":[{"user":"alice","until":"2026-11-23T09:01:00Z","why":"test"}]})");
    expect(200, "GET", "/v1/blocks/alice");
    refuse(404, "*", "GET", "/v1/blocks/*");
    expect(204, "DELETE", "/v1/blocks/alice");
    refuse(404, "alice", "DELETE", "/v1/blocks/alice");
}

TEST_F(SmApi, GroupsOfFirewallsShareThresholds) {
    const auto value = [&](const std::string& scope) {
        const auto answer = json::parse(expect(200, "GET", "/v1/thresholds/keepalive_rate?" + scope));
        return std::to_string(answer.at("value").as_int64()) + " " +
               std::string(answer.at("origin").as_string());
    };
    const auto version = [&] { return directory().thresholds().version(); };
    const auto first = version();
    same(expect(200, "PUT", "/v1/groups/branches", R"({"firewalls":["fw2","fw1","fw1"]})"),
         R"({"name":"branches","firewalls":["fw1","fw2"]})");
    EXPECT_GT(version(), first) << "firewalls know what they have by its version";
    int pushed = 0;
    directory().thresholds().on_change([&] {
        ++pushed;
        return Result<>();
    });
    expect(200, "PUT", "/v1/thresholds/keepalive_rate?group=branches", R"({"value":77})");
    EXPECT_EQ(value("firewall=fw1"), "77 named group");
    EXPECT_EQ(value("group=branches"), "77 named group");
    EXPECT_NE(value("firewall=fw3").find("default"), std::string::npos);
    expect(200, "PUT", "/v1/thresholds/keepalive_rate?firewall=fw1", R"({"value":78})");
    EXPECT_EQ(value("firewall=fw1"), "78 firewall");
    expect(200, "PUT", "/v1/groups/core", R"({"firewalls":["fw2"]})");
    EXPECT_NE(value("firewall=fw2").find("default"), std::string::npos) << "it has left the other group";
    same(expect(200, "GET", "/v1/groups"),
         R"({"groups":[{"name":"branches","firewalls":["fw1"]},{"name":"core","firewalls":["fw2"]}]})");
    EXPECT_EQ(pushed, 3);
    directory().thresholds().on_change({});
    reopen();
    EXPECT_EQ(directory().thresholds().group_of("fw2"), "core");
    expect(204, "DELETE", "/v1/groups/core");
    refuse(404, "core", "DELETE", "/v1/groups/core");
    refuse(404, "core", "GET", "/v1/groups/core");
    expect(204, "DELETE", "/v1/thresholds/keepalive_rate?group=branches");
    refuse(404, "group 'branches'", "DELETE", "/v1/thresholds/keepalive_rate?group=branches");
    refuse(400, "group", "GET", "/v1/thresholds?firewall=fw1&group=branches");
    refuse(400, "empty", "GET", "/v1/thresholds?group=");
    refuse(400, "'a b'", "PUT", "/v1/groups/a%20b", R"({"firewalls":["fw1"]})");
    refuse(400, "'@x'", "PUT", "/v1/groups/a", R"({"firewalls":["@x"]})");
    refuse(400, "'firewalls'", "PUT", "/v1/groups/a", R"({"firewalls":[]})");
}

class SmApiAudit : public SmApi {
  protected:
    SmApiAudit() { trail_ = must(audit::Trail::open({.file = folder_ / "audit.jsonl"})); }
    json::value last() {
        const auto page = json::parse(expect(200, "GET", "/v1/audit?limit=1"));
        return page.at("records").as_array().empty() ? json::value() : page.at("records").as_array().front();
    }
    Folder folder_;
};

TEST_F(SmApiAudit, EachChangeIsRecordedWithWhatItWasAndIs) {
    expect(201, "POST", "/v1/users", R"({"name":"alice","uris":["sip:alice@example.org"]})");
    auto record = last();
    EXPECT_EQ(record.at("kind"), "change");
    EXPECT_EQ(record.at("who"), "api");
    EXPECT_EQ(record.at("action"), "POST");
    EXPECT_EQ(record.at("target"), "/v1/users");
    EXPECT_EQ(record.at("user"), "alice");
    EXPECT_EQ(record.at("status"), 201);
    EXPECT_TRUE(record.at("before").is_null());
    EXPECT_EQ(record.at("after").at("uris").as_array().size(), 1U);
    expect(201, "POST", "/v1/users/alice/uris", R"({"uri":"tel:+4930"})");
    record = last();
    EXPECT_EQ(record.at("before").at("uris").as_array().size(), 1U);
    EXPECT_EQ(record.at("after").at("uris").as_array().size(), 2U);
    expect(204, "DELETE", "/v1/users/alice");
    record = last();
    EXPECT_EQ(record.at("before").at("name"), "alice");
    EXPECT_TRUE(record.at("after").is_null());
    expect(201, "POST", "/v1/spam", R"({"caller":"*@spam.example","note":"n"})");
    EXPECT_EQ(last().at("after").at("caller"), "*@spam.example");
    expect(204, "DELETE", "/v1/spam?caller=*@spam.example");
    EXPECT_EQ(last().at("before").at("note"), "n");
    expect(200, "PUT", "/v1/thresholds/keepalive_rate?firewall=fw1", R"({"value":77})");
    EXPECT_EQ(last().at("after").at("keepalive_rate"), 77);
    expect(201, "PUT", "/v1/limits/x", R"({"concurrent":{"critical":1}})");
    EXPECT_EQ(last().at("after").at("name"), "x");
    expect(200, "PUT", "/v1/groups/g", R"({"firewalls":["fw1"]})");
    EXPECT_EQ(last().at("after").at("name"), "g");
}

TEST_F(SmApiAudit, WhatWasRefusedIsRecordedAndWhatWasReadIsNot) {
    expect(404, "DELETE", "/v1/users/nobody");
    const auto record = last();
    EXPECT_EQ(record.at("status"), 404);
    EXPECT_NE(std::string(record.at("why").as_string()).find("nobody"), std::string::npos);
    EXPECT_FALSE(record.as_object().contains("after"));
    expect(200, "GET", "/v1/users");
    expect(200, "GET", "/v1/decision?from=sip:x@y.z&to=sip:a@b.c");
    EXPECT_EQ(last(), record);
}

TEST_F(SmApiAudit, IsReadByPagesAndFilters) {
    for (int i = 0; i < 5; ++i) {
        expect(201, "POST", "/v1/users", R"({"name":"u)" + std::to_string(i) + R"("})");
    }
    const auto names = [&](const std::string& query) {
        std::string text;
        const json::value page = json::parse(expect(200, "GET", "/v1/audit?" + query));
        for (const auto& record : page.at("records").as_array()) {
            text += std::string(record.at("user").as_string()) + " ";
        }
        return text;
    };
    EXPECT_EQ(names("limit=3"), "u4 u3 u2 ");
    EXPECT_EQ(names("order=oldest&limit=2"), "u0 u1 ");
    const auto next = json::parse(expect(200, "GET", "/v1/audit?limit=3")).at("next");
    EXPECT_EQ(names("from=" + std::string(next.as_string())), "u1 u0 ");
    EXPECT_EQ(names("user=u3"), "u3 ");
    EXPECT_EQ(names("kind=change&action=POST&who=api&since=2026-11-23T09:00:00Z&until=2026-11-23T09:00:01Z"),
              "u4 u3 u2 u1 u0 ");
    EXPECT_EQ(names("since=2026-11-23T09:00:01Z"), "");
    refuse(400, "'bogus'", "GET", "/v1/audit?kind=bogus");
    refuse(400, "'0'", "GET", "/v1/audit?limit=0");
    refuse(400, "'1001'", "GET", "/v1/audit?limit=1001");
    refuse(400, "'soon'", "GET", "/v1/audit?since=soon");
    refuse(400, "'up'", "GET", "/v1/audit?order=up");
    refuse(400, "not a place", "GET", "/v1/audit?from=x");
    trail_.reset();
    refuse(404, "none is kept", "GET", "/v1/audit");
}

// docs/openapi.json says what api.cpp serves: neither more nor less, and each reference leads somewhere.
TEST_F(SmApi, IsDescribedByOpenApi) {
    const json::value served = json::parse(expect(200, "GET", "/v1/openapi.json"));
    EXPECT_EQ(served.at("openapi"), "3.1.0");
    std::set<std::string> described;
    for (const auto& path : served.at("paths").as_object()) {
        for (const auto& method : path.value().as_object()) {
            std::string name(method.key());
            std::ranges::transform(name, name.begin(), [](char c) { return static_cast<char>(c & ~0x20); });
            described.insert(name + " " + std::string(path.key()));
            EXPECT_TRUE(method.value().as_object().contains("summary")) << path.key();
            std::set<std::string> parameters;
            if (const auto* list = method.value().as_object().if_contains("parameters")) {
                for (const auto& parameter : list->as_array()) {
                    if (parameter.at("in") == "path") {
                        parameters.insert("{" + std::string(parameter.at("name").as_string()) + "}");
                    }
                }
            }
            const std::string text(path.key());
            EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(text, '{')), parameters.size()) << text;
            for (const std::string& parameter : parameters) {
                EXPECT_NE(text.find(parameter), std::string::npos) << text << ' ' << parameter;
            }
        }
    }
    std::set<std::string> routes;
    for (const ApiRoute& route : api_routes()) {
        std::string_view methods = route.methods;
        while (!methods.empty()) {
            const auto method = methods.substr(0, methods.find(", "));
            methods.remove_prefix(std::min(methods.size(), method.size() + 2));
            routes.insert(std::string(method) + " " + std::string(route.path));
        }
    }
    EXPECT_EQ(described, routes);
    const std::string text = json::serialize(served);
    constexpr std::string_view reference = "\"$ref\":\"#/components/";
    for (auto at = text.find(reference); at != std::string::npos; at = text.find(reference, at + 1)) {
        const auto begin = at + reference.size();
        const std::string name = text.substr(begin, text.find('"', begin) - begin);
        const auto slash = name.find('/');
        EXPECT_TRUE(
            served.at("components").at(name.substr(0, slash)).as_object().contains(name.substr(slash + 1)))
            << name;
    }
}

TEST_F(SmApi, PathsAndMethods) {
    EXPECT_TRUE(serves("/v1/users"));
    EXPECT_TRUE(serves("/v1/decision?from=x"));
    EXPECT_FALSE(serves("/v1/calls"));
    EXPECT_FALSE(serves("/v1/usersx"));
    EXPECT_FALSE(serves("users"));
    for (const char* target : {"/", "/v1/calls", "/v1/users/a/b/c", "/v1/users/a/nosuch", "/v1/profiles/a/b",
                               "/v1/profiles/a/rules/1/2", "/v1/spam/x", "/v1/decision/x"}) {
        refuse(404, "no such path", "GET", target);
    }
    refuse(400, "escape", "GET", "/v1/users/%zz");
    refuse(400, "escape", "GET", "/v1/users/%0");
    refuse(400, "escape", "GET", "/v1/users/%00");
    refuse(400, "not UTF-8", "GET", "/v1/users/\xf8lice");
    refuse(400, "not UTF-8", "GET", "/v1/users/%F8lice");
    refuse(400, "not UTF-8", "GET", "/v1/decision?from=sip:%ff@a&to=sip:b@c");
    refuse(404, "no such path", "GET", "/v1/nosuch\xf8");
    refuse(400, "'x'", "GET", "/v1/users?x=1");
    refuse(400, "'x'", "GET", "/v1/profiles?x=1");
    for (const auto& [target, allow] :
         {std::pair("/v1/users", "GET, POST"), std::pair("/v1/users/alice", "GET, PUT, DELETE"),
          std::pair("/v1/users/alice/uris", "GET, POST, DELETE"),
          std::pair("/v1/users/alice/locations", "GET, POST, DELETE"), std::pair("/v1/profiles", "GET, POST"),
          std::pair("/v1/profiles/a", "GET, PUT, DELETE"), std::pair("/v1/profiles/a/rules", "GET, POST"),
          std::pair("/v1/profiles/a/rules/1", "GET, PUT, POST, DELETE"),
          std::pair("/v1/spam", "GET, POST, DELETE"), std::pair("/v1/decision", "GET")}) {
        refuse(405, "method", "PATCH", target);
        EXPECT_EQ(ask("PATCH", target).allow, allow) << target;
    }
}

TEST_F(SmApi, TreatmentsAndSpamCallersMayDenyTheSource) {
    const auto profile =
        json::parse(expect(201, "POST", "/v1/profiles",
                           R"({"name":"p","default":{"action":"reject","status":603,"deny_seconds":60},
            "rules":[{"caller":"*@fraud.example","action":"drop","deny_seconds":3600}]})"));
    EXPECT_EQ(profile.at("default").at("deny_seconds"), 60);
    EXPECT_EQ(profile.at("rules").at(0).at("deny_seconds"), 3600);
    same(expect(201, "POST", "/v1/spam", R"({"caller":"*@spam.example","deny_seconds":600})"),
         R"({"caller":"*@spam.example","user":null,"note":"","deny_seconds":600})");
    refuse(400, "'deny_seconds'", "POST", "/v1/spam", R"({"caller":"*@a.example","deny_seconds":-1})");
    refuse(400, "'deny_seconds'", "POST", "/v1/spam", R"({"caller":"*@a.example","deny_seconds":31536001})");
    refuse(400, "'deny_seconds'", "POST", "/v1/spam", R"({"caller":"*@a.example","deny_seconds":"1h"})");
    refuse(400, "reject and drop only", "POST", "/v1/profiles/p/rules",
           R"({"caller":"*","action":"accept","deny_seconds":5})");
    reopen();
    EXPECT_EQ(json::parse(expect(200, "GET", "/v1/profiles/p")).at("rules").at(0).at("deny_seconds"), 3600);
    EXPECT_EQ(json::parse(expect(200, "GET", "/v1/profiles/p")).at("default").at("deny_seconds"), 60);
    EXPECT_EQ(json::parse(expect(200, "GET", "/v1/spam")).at("spam").at(0).at("deny_seconds"), 600);
    const auto decision =
        json::parse(expect(200, "GET", "/v1/decision?from=sip:x@spam.example&to=sip:nobody@example.org"));
    EXPECT_EQ(decision.at("action"), "drop");
    EXPECT_EQ(decision.at("deny_seconds"), 600);
}

TEST_F(SmApi, PasswordsGoInAndNeverOut) {
    expect(201, "POST", "/v1/users", R"({"name":"alice"})");
    expect(201, "POST", "/v1/users", R"({"name":"bob"})");
    const char* path = "/v1/users/alice/credentials";
    same(expect(200, "GET", path), R"({"credentials":[]})");
    same(expect(200, "PUT", path, R"({"password":"correct horse"})"),
         R"({"credentials":[{"username":"alice","realm":"stem","algorithms":["SHA-256","MD5"]}]})");
    // echo -n alice:stem:correct horse | md5sum
    const auto found = directory().find_credentials("alice", "stem");
    ASSERT_NE(found.credentials, nullptr);
    EXPECT_EQ(found.credentials->md5, auth::make_ha1(auth::Algorithm::md5, "alice", "stem", "correct horse"));
    EXPECT_EQ(found.owner->user.name, "alice");
    expect(200, "PUT", path, R"({"password":"correct horse","algorithms":["MD5"],"realm":"two"})");
    same(expect(200, "PUT", path,
                R"({"username":"alice@example.org","md5":"0123456789abcdef0123456789abcdef"})"),
         R"({"credentials":[{"username":"alice","realm":"stem","algorithms":["SHA-256","MD5"]},
            {"username":"alice","realm":"two","algorithms":["MD5"]},
            {"username":"alice@example.org","realm":"stem","algorithms":["MD5"]}]})");
    refuse(409, "'alice'", "PUT", "/v1/users/bob/credentials",
           R"({"username":"alice","md5":"0123456789abcdef0123456789abcdef"})");
    refuse(400, "octets", "PUT", path, R"({"password":"short"})");
    refuse(400, "form", "PUT", path, R"({"md5":"0123456789ABCDEF0123456789ABCDEF"})");
    refuse(400, "no hash", "PUT", path, R"({})");
    refuse(400, "beside", "PUT", path, R"({"password":"correct horse","md5":"x"})");
    refuse(400, "'algorithms'", "PUT", path, R"({"password":"correct horse","algorithms":["SHA-1"]})");
    refuse(400, "user name", "PUT", path, R"({"username":"a:b","password":"correct horse"})");
    refuse(400, "realm", "PUT", path, R"({"realm":"a\"b","password":"correct horse"})");
    refuse(404, "no user", "PUT", "/v1/users/carol/credentials", R"({"password":"correct horse"})");
    refuse(405, "method", "POST", path, "{}");
    EXPECT_EQ(
        ask("PUT", path, R"({"password":"tiny"})").json.at("error").at("message").as_string().find("tiny"),
        std::string::npos);
    reopen();
    EXPECT_EQ(must(directory().credentials("alice")).size(), 3U);
    expect(204, "DELETE", "/v1/users/alice/credentials?realm=two");
    refuse(404, "two", "DELETE", "/v1/users/alice/credentials?realm=two");
    reopen();
    EXPECT_EQ(must(directory().credentials("alice")).size(), 2U);
}

TEST_F(SmApi, AdministratorsPasswordsAreKeptAsArgon2id) {
    same(expect(200, "GET", "/v1/administrators"), R"({"administrators":[]})");
    expect(204, "PUT", "/v1/administrators/ann", R"({"password":"a long enough one"})");
    same(expect(200, "GET", "/v1/administrators"), R"({"administrators":["ann"]})");
    refuse(400, "octets", "PUT", "/v1/administrators/ann", R"({"password":"too short"})");
    reopen();
    const auto* ann = directory().find_administrator("ann");
    ASSERT_NE(ann, nullptr);
    EXPECT_TRUE(ann->password.starts_with("$argon2id$"));
    EXPECT_TRUE(auth::is_password("a long enough one", ann->password));
    expect(204, "DELETE", "/v1/administrators/ann");
    refuse(404, "none", "DELETE", "/v1/administrators/ann");
}

} // namespace
} // namespace stem::sm
