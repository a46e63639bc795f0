// SPDX-License-Identifier: Apache-2.0
#include "sm/api.h"
#include "sm_fixture.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace stem::sm {
namespace {

namespace json = boost::json;

class SmApi : public DirectoryTest {
  protected:
    ApiReply ask(std::string_view method, std::string_view target, std::string_view body = {}) {
        return handle(directory(), Decider(directory(), {}), method, target, body, monday_nine);
    }
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
    expect(201, "POST", "/v1/users/alice/locations",
           R"({"address":"192.0.2.7","contact":"sip:a@192.0.2.7:5070","expires_at":"2026-12-01T00:00:00Z"})");
    same(expect(200, "GET", "/v1/users/alice/locations"),
         R"({"locations":[
            {"contact":"sip:[2001:db8::7]","address":"2001:db8::7","origin":"set","uri":null,
             "expires_at":"2026-11-23T09:01:00Z"},
            {"contact":"sip:a@192.0.2.7:5070","address":"192.0.2.7","origin":"set","uri":null,
             "expires_at":"2026-12-01T00:00:00Z"}]})");
    refuse(400, "'address'", "POST", "/v1/users/alice/locations", R"({"address":"here"})");
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
    same(expect(200, "GET", "/v1/decision?from=sip:x@example.com" + to),
         R"({"action":"forward","target":"sip:bob@example.org","terminals":["2001:db8::7"],"user":"bob",
            "why":"profile alice rule 1: caller *@example.com -> forward to sip:bob@example.org; user bob has no profile -> accept"})");
    const json::value later =
        json::parse(expect(200, "GET", "/v1/decision?at=2026-11-23T10:00:00Z&from=sip:x@example.com" + to));
    EXPECT_TRUE(later.at("terminals").as_array().empty());
    same(
        expect(200, "GET", "/v1/decision?from=tel:+49301" + to),
        R"({"action":"reject","status":486,"user":"alice","why":"profile alice rule 2: caller +49* -> reject 486"})");
    same(
        expect(200, "GET", "/v1/decision?direction=outbound&from=sip:alice@example.org&to=sip:x@example.com"),
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

} // namespace
} // namespace stem::sm
