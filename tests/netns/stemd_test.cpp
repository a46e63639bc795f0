// SPDX-License-Identifier: Apache-2.0
// stemctl attaches, stemd runs, and SIP datagrams of our own cross:  outside ── STEM ── inside
#include "ctl/api/client.h"
#include "ctl/api/socket_path.h"
#include "ctl/kernel/instance.h"
#include "lab/enclosure.h"
#include "lab/process.h"
#include "lab/socket_address.h"
#include "lab/text_file.h"
#include "lab/world.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <csignal>

namespace stem::stemd {
namespace {

using namespace std::chrono_literals;
using lab::Family;
using lab::Mode;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::uint16_t sip_port = 5060;

// A UDP socket of a phone.
class Phone {
  public:
    Phone(const lab::Netns& netns, const Address& address) : local_{address, sip_port} {
        auto socket = lab::bind_udp(netns, local_);
        EXPECT_TRUE(socket) << socket.error().message();
        socket_ = std::move(socket).value_or(UniqueFd());
    }

    void send(const Phone& to, std::string_view bytes) const {
        const auto address = lab::to_socket_address(to.local_);
        EXPECT_EQ(::sendto(socket_.get(), bytes.data(), bytes.size(), 0,
                           reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
                  static_cast<ssize_t>(bytes.size()));
    }

    // "" when nothing comes in time.
    [[nodiscard]] std::string receive(std::chrono::milliseconds patience = 3000ms) const {
        pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&readable, 1, static_cast<int>(patience.count())) <= 0) {
            return {};
        }
        std::string bytes(4096, '\0');
        const ssize_t length = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
        bytes.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
        return bytes;
    }

    [[nodiscard]] std::string host() const {
        return local_.address.is_v4() ? local_.address.to_string() : "[" + local_.address.to_string() + "]";
    }
    [[nodiscard]] const Address& address() const { return local_.address; }

  private:
    Endpoint local_;
    UniqueFd socket_;
};

std::string sdp_of(const Phone& phone, int port) {
    const char* family = phone.address().is_v4() ? "IP4" : "IP6";
    return fmt::format("v=0\r\no=- 1 1 IN {0} {1}\r\ns=-\r\nc=IN {0} {1}\r\nt=0 0\r\n"
                       "m=audio {2} RTP/AVP 0\r\n",
                       family, phone.address().to_string(), port);
}

struct Request {
    std::string method = "OPTIONS";
    std::string user = "bob";
    std::string call_id = "call-1";
    std::string to_tag = {};
    int cseq = 1;
    std::string body = {};
};

std::string request_of(const Phone& from, const Request& request) {
    return fmt::format(
        "{method} sip:{user}@example.org SIP/2.0\r\n"
        "Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK-{call}-{cseq}-{method}\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=alice\r\nTo: <sip:{user}@example.org>{tag}\r\n"
        "Call-ID: {call}\r\nCSeq: {cseq} {method}\r\nContact: <sip:alice@{host}>\r\n{type}"
        "Content-Length: {length}\r\n\r\n{body}",
        fmt::arg("method", request.method), fmt::arg("user", request.user), fmt::arg("host", from.host()),
        fmt::arg("call", request.call_id), fmt::arg("cseq", request.cseq),
        fmt::arg("tag", request.to_tag.empty() ? "" : ";tag=" + request.to_tag),
        fmt::arg("type", request.body.empty() ? "" : "Content-Type: application/sdp\r\n"),
        fmt::arg("length", request.body.size()), fmt::arg("body", request.body));
}

// 200 to what came, as a phone gives it.
std::string ok_to(const Phone& caller, const Phone& callee, const Request& request, const std::string& body) {
    return fmt::format("SIP/2.0 200 OK\r\n"
                       "Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK-{call}-{cseq}-{method}\r\n"
                       "From: <sip:alice@example.com>;tag=alice\r\nTo: <sip:{user}@example.org>;tag=bob\r\n"
                       "Call-ID: {call}\r\nCSeq: {cseq} {method}\r\nContact: <sip:bob@{contact}>\r\n{type}"
                       "Content-Length: {length}\r\n\r\n{body}",
                       fmt::arg("method", request.method), fmt::arg("user", request.user),
                       fmt::arg("host", caller.host()), fmt::arg("contact", callee.host()),
                       fmt::arg("call", request.call_id), fmt::arg("cseq", request.cseq),
                       fmt::arg("type", body.empty() ? "" : "Content-Type: application/sdp\r\n"),
                       fmt::arg("length", body.size()), fmt::arg("body", body));
}

class Stemd : public testing::TestWithParam<Mode> {
  protected:
    void SetUp() override {
        std::filesystem::remove_all(database().parent_path());
        auto world = lab::World::create({.mode = GetParam(), .middle = lab::Middle::bare});
        ASSERT_TRUE(world) << world.error().message();
        world_.emplace(std::move(*world));
        ASSERT_TRUE(stemctl({"attach", "--external", lab::external_port, "--internal", lab::internal_port,
                             "--mode", GetParam() == Mode::bridge ? "bridge" : "router"}));
        ASSERT_NO_FATAL_FAILURE(start());
        ASSERT_TRUE(stemctl({"user", "add", "bob", "--uri", "sip:bob@example.org"}));
    }

    void TearDown() override {
        if (stemd_) {
            if (HasFailure()) {
                std::fputs(stemd_->errors().c_str(), stderr);
            }
            stemd_->stop();
            stemd_.reset();
        }
        if (world_) {
            EXPECT_TRUE(stemctl({"detach"}));
        }
    }

    lab::Command command(std::string program, std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), std::move(program));
        return {.name = "stem",
                .argv = std::move(arguments),
                .netns = &world_->middle(),
                .environment = {{"STEM_BPFFS", lab::bpffs()}, {"STEM_RUN_DIR", run_dir()}}};
    }
    static std::filesystem::path run_dir() { return lab::scratch() / "run"; }
    static std::filesystem::path config_file() { return lab::scratch() / "stemd.toml"; }
    static std::filesystem::path database() { return lab::scratch() / "db" / "stem.db"; }

    // Its output; nothing, and the test has failed, when it did.
    std::optional<std::string> stemctl(const std::vector<std::string>& arguments) const {
        auto output = lab::run_command(command(STEM_STEMCTL, arguments));
        EXPECT_TRUE(output) << output.error().message();
        return output ? std::optional(*output) : std::nullopt;
    }

    void start(const std::vector<std::string>& more = {}) {
        std::vector<std::string> arguments = {"--db", database(), "--log-level", "debug"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        auto process = lab::Process::start(command(STEM_STEMD, arguments));
        ASSERT_TRUE(process) << process.error().message();
        stemd_.emplace(std::move(*process));
        const bool ready = lab::eventually(
            [&] { return !stemd_->running() || stemd_->errors().find(" ready: ") != std::string::npos; },
            10s);
        ASSERT_TRUE(ready && stemd_->running()) << stemd_->last_words();
    }

    static boost::json::value get(const std::string& target) {
        const auto answer =
            api::Client(api::socket_path(run_dir(), "default"), "default").must({"GET", target});
        EXPECT_TRUE(answer) << answer.error().message();
        return answer ? boost::json::parse(*answer) : boost::json::value();
    }
    static std::string metrics() {
        return api::Client(api::socket_path(run_dir(), "default"), "default")
            .must({"GET", "/metrics"})
            .value_or("");
    }
    // Packets of both directions together.
    static std::uint64_t count(std::string_view reason) {
        const std::string page = metrics();
        std::uint64_t sum = 0;
        std::size_t at = 0;
        const std::string wanted = fmt::format("reason=\"{}\"", reason);
        while ((at = page.find("\nstem_packets_total{", at)) != std::string::npos) {
            const std::string line = page.substr(at + 1, page.find('\n', at + 1) - at - 1);
            if (line.find(wanted) != std::string::npos) {
                sum += std::stoull(line.substr(line.rfind(' ') + 1));
            }
            ++at;
        }
        return sum;
    }

    Phone caller(Family family) const {
        return {world_->outside(), world_->outside_address(lab::host::first_caller, family)};
    }
    Phone callee(Family family) const {
        return {world_->inside(), world_->inside_address(lab::host::first_phone, family)};
    }

    // The exchange of a call up to its ACK.
    void establish(const Phone& alice, const Phone& bob, const std::string& call_id) {
        const Request invite{.method = "INVITE", .call_id = call_id, .body = sdp_of(alice, 4000)};
        const std::string sent = request_of(alice, invite);
        alice.send(bob, sent);
        ASSERT_EQ(bob.receive(), sent);
        const std::string answer = ok_to(alice, bob, invite, sdp_of(bob, 5000));
        bob.send(alice, answer);
        ASSERT_EQ(alice.receive(), answer);
        const std::string ack = request_of(alice, {.method = "ACK", .call_id = call_id, .to_tag = "bob"});
        alice.send(bob, ack);
        ASSERT_EQ(bob.receive(), ack);
    }

    std::optional<lab::World> world_;
    std::optional<lab::Process> stemd_;
};

TEST_P(Stemd, PassesMessagesByteForByte) {
    for (const Family family : {Family::v4, Family::v6}) {
        const Phone alice = caller(family);
        const Phone bob = callee(family);
        const std::string call = family == Family::v4 ? "four" : "six";
        const Request options{.call_id = call + "-o"};
        const std::string sent = request_of(alice, options);
        alice.send(bob, sent);
        EXPECT_EQ(bob.receive(), sent);
        const std::string answer = ok_to(alice, bob, options, "");
        bob.send(alice, answer);
        EXPECT_EQ(alice.receive(), answer);
        establish(alice, bob, call);
    }
    EXPECT_EQ(count("sip_released"), 10U);
    EXPECT_EQ(count("release_failed"), 0U);
    const auto status = get("/v1/status");
    EXPECT_EQ(status.at("mode"), GetParam() == Mode::bridge ? "bridge" : "router");
    EXPECT_EQ(status.at("calls").at("now"), 2);
    EXPECT_EQ(status.at("pool").at("held"), 0);
    EXPECT_EQ(status.at("decisions").at("accepted"), 2);
}

TEST_P(Stemd, AnswersRefusedCalls) {
    for (const Family family : {Family::v4, Family::v6}) {
        const Phone alice = caller(family);
        const Phone bob = callee(family);
        const std::string call = family == Family::v4 ? "four" : "six";
        alice.send(
            bob,
            request_of(alice,
                       {.method = "INVITE", .user = "nobody", .call_id = call, .body = sdp_of(alice, 4000)}));
        const std::string answer = alice.receive();
        EXPECT_THAT(answer, StartsWith("SIP/2.0 404 "));
        EXPECT_THAT(answer, HasSubstr("Call-ID: " + call + "\r\n"));
        EXPECT_EQ(bob.receive(200ms), "");
    }
    EXPECT_EQ(count("sm_rejected"), 2U);
    EXPECT_EQ(count("release_failed"), 0U);
}

TEST_P(Stemd, RewritesTheRequestLineOfAForwardedCall) {
    ASSERT_TRUE(stemctl({"profile", "add", "away"}));
    ASSERT_TRUE(
        stemctl({"profile", "rule", "add", "away", "--forward", "sip:carol.at.her.desk@example.org"}));
    ASSERT_TRUE(stemctl({"user", "set", "bob", "--profile", "away"}));
    for (const Family family : {Family::v4, Family::v6}) {
        const Phone alice = caller(family);
        const Phone bob = callee(family);
        std::string expected = request_of(alice, {.method = "INVITE",
                                                  .call_id = family == Family::v4 ? "four" : "six",
                                                  .body = sdp_of(alice, 4000)});
        alice.send(bob, expected);
        expected.replace(expected.find("sip:bob@example.org"), std::string_view("sip:bob@example.org").size(),
                         "sip:carol.at.her.desk@example.org");
        EXPECT_EQ(bob.receive(), expected);
    }
    EXPECT_EQ(count("sip_rewritten"), 2U);
}

TEST_P(Stemd, DropsAndCountsMalformedMessages) {
    for (const Family family : {Family::v4, Family::v6}) {
        const Phone alice = caller(family);
        const Phone bob = callee(family);
        std::string twice = request_of(alice, {});
        twice.insert(twice.find("Call-ID:"), "Call-ID: another\r\n");
        alice.send(bob, twice);
        alice.send(bob, "INVITE sip:bob@example.org\r\n\r\n");
        EXPECT_EQ(bob.receive(200ms), "");
    }
    EXPECT_TRUE(lab::eventually([] { return count("sip_malformed") == 4; }, 2s)) << count("sip_malformed");
    EXPECT_EQ(get("/v1/status").at("pool").at("held"), 0);
}

// In the kernel's map, past stemd.
std::uint32_t keepalive_rate() {
    const auto map = kernel::ThresholdMap::open(lab::bpffs() / "default" / "thresholds");
    EXPECT_TRUE(map) << map.error().message();
    const auto values = map->get(0);
    EXPECT_TRUE(values && *values);
    return (*values)->keepalive_rate;
}

boost::json::object row_of(const boost::json::value& list, std::string_view name) {
    for (const auto& row : list.at("thresholds").as_array()) {
        if (row.at("name").as_string() == boost::json::string_view(name)) {
            return row.as_object();
        }
    }
    ADD_FAILURE() << name << " is not listed";
    return {{"value", nullptr}, {"in_force", nullptr}};
}

TEST_P(Stemd, ThresholdsAreKeptAndPushed) {
    EXPECT_EQ(keepalive_rate(), 100U);
    ASSERT_TRUE(stemctl({"thresholds", "set", "keepalive_rate", "50"}));
    EXPECT_EQ(keepalive_rate(), 50U);
    EXPECT_THAT(metrics(), HasSubstr("stem_threshold{name=\"keepalive_rate\",unit=\"packets/s\"} 50\n"));
    EXPECT_THAT(metrics(), HasSubstr("stem_module{module=\"flow_monitor\"} 1\n"));
    const auto row = boost::json::parse(*stemctl({"thresholds", "show", "keepalive_rate", "--json"}));
    EXPECT_EQ(row.at("change").at("by"), "uid 0");
    const auto refused =
        lab::run_command(command(STEM_STEMCTL, {"thresholds", "set", "keepalive_rate", "0"}));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("1 to 1000000 packets/s"));

    // Whoever writes the map by hand is put right by SIGHUP.
    const auto map = kernel::ThresholdMap::open(lab::bpffs() / "default" / "thresholds");
    stem_thresholds strange = map->get(0)->value();
    strange.keepalive_rate = 7;
    ASSERT_TRUE(map->put(0, strange));
    stemd_->signal(SIGHUP);
    EXPECT_TRUE(lab::eventually([] { return keepalive_rate() == 50; }, 5s));

    // While stemd is away the list is the kernel's, and a change is refused with what to do.
    EXPECT_EQ(stemd_->stop(), 0);
    const auto list = boost::json::parse(*stemctl({"thresholds", "list", "--json"}));
    EXPECT_EQ(list.at("source"), "kernel");
    EXPECT_EQ(row_of(list, "keepalive_rate").at("value"), 50);
    const auto away = lab::run_command(command(STEM_STEMCTL, {"thresholds", "set", "keepalive_rate", "60"}));
    ASSERT_FALSE(away);
    EXPECT_THAT(away.error().message(), HasSubstr("systemctl start stemd@default"));

    // A fresh attach begins with the defaults, and the next stemd brings what is stored.
    ASSERT_TRUE(stemctl({"detach"}));
    ASSERT_TRUE(stemctl({"attach", "--external", lab::external_port, "--internal", lab::internal_port,
                         "--mode", GetParam() == Mode::bridge ? "bridge" : "router"}));
    EXPECT_EQ(keepalive_rate(), 100U);
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_EQ(keepalive_rate(), 50U);
    const auto after = boost::json::parse(*stemctl({"thresholds", "--json"}));
    EXPECT_EQ(after.at("source"), "stemd");
    EXPECT_EQ(row_of(after, "keepalive_rate").at("in_force"), 50);
    ASSERT_TRUE(stemctl({"thresholds", "reset", "--all"}));
    EXPECT_EQ(keepalive_rate(), 100U);
}

TEST_P(Stemd, RefusesASecondOne) {
    auto second = lab::Process::start(command(STEM_STEMD, {"--db", database()}));
    ASSERT_TRUE(second) << second.error().message();
    const auto status = second->wait(5s);
    ASSERT_TRUE(status) << status.error().message();
    EXPECT_EQ(*status, 1);
    EXPECT_THAT(second->errors(), HasSubstr("a stemd is running for it already"));
    EXPECT_THAT(second->errors(), HasSubstr(std::to_string(stemd_->pid())));
    EXPECT_EQ(get("/v1/status").at("pid"), stemd_->pid());
}

TEST_P(Stemd, StopsAndStartsAnew) {
    const Phone alice = caller(Family::v4);
    const Phone bob = callee(Family::v4);
    ASSERT_NO_FATAL_FAILURE(establish(alice, bob, "kept"));
    const auto before = get("/v1/calls").at("calls").at(0);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(stemd_->stop(), 0) << stemd_->last_words();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
    EXPECT_FALSE(std::filesystem::exists(api::socket_path(run_dir(), "default")));
    alice.send(bob, request_of(alice, {}));
    EXPECT_EQ(bob.receive(200ms), "") << "SIP passed while stemd was away";
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_EQ(count("controller_away"), 1U);
    const auto after = get("/v1/calls").at("calls").at(0);
    EXPECT_EQ(after.at("id"), before.at("id"));
    EXPECT_EQ(after.at("state"), "up");
    const std::string sent = request_of(alice, {.call_id = "later"});
    alice.send(bob, sent);
    EXPECT_EQ(bob.receive(), sent);
}

TEST_P(Stemd, IsSucceededAfterAKill) {
    const Phone alice = caller(Family::v6);
    const Phone bob = callee(Family::v6);
    ASSERT_NO_FATAL_FAILURE(establish(alice, bob, "orphan"));
    const auto before = get("/v1/calls").at("calls").at(0);
    EXPECT_EQ(before.at("state"), "up");
    EXPECT_GE(before.at("media").as_array().size(), 2U);
    stemd_->signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return !stemd_->running(); }, 2s));
    ASSERT_NO_FATAL_FAILURE(start());
    const auto after = get("/v1/calls").at("calls").at(0);
    EXPECT_EQ(after.at("id"), before.at("id"));
    EXPECT_EQ(after.at("state"), "up");
    EXPECT_EQ(after.at("media").as_array().size(), before.at("media").as_array().size());
    const Request bye{.method = "BYE", .call_id = "orphan", .to_tag = "bob", .cseq = 2};
    const std::string sent = request_of(alice, bye);
    alice.send(bob, sent);
    EXPECT_EQ(bob.receive(), sent);
    const std::string answer = ok_to(alice, bob, bye, "");
    bob.send(alice, answer);
    EXPECT_EQ(alice.receive(), answer);
    EXPECT_TRUE(lab::eventually([] { return get("/v1/status").at("calls").at("pinholes") == 0; }, 3s));
}

TEST_P(Stemd, DrillHoldsCallsAndReloadEndsIt) {
    EXPECT_EQ(stemd_->stop(), 0);
    ASSERT_TRUE(lab::write_text(config_file(), "[sm]\ndrill_delay_ms = 500\n"));
    ASSERT_NO_FATAL_FAILURE(start({"--config", config_file()}));
    const Phone alice = caller(Family::v4);
    const Phone bob = callee(Family::v4);
    const std::string held =
        request_of(alice, {.method = "INVITE", .call_id = "held", .body = sdp_of(alice, 4000)});
    const auto begin = std::chrono::steady_clock::now();
    alice.send(bob, held);
    EXPECT_THAT(alice.receive(), StartsWith("SIP/2.0 100 "));
    EXPECT_EQ(get("/v1/calls").at("calls").at(0).at("state"), "held");
    EXPECT_EQ(get("/v1/status").at("pool").at("held"), 1);
    EXPECT_EQ(bob.receive(), held);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 500ms);

    ASSERT_TRUE(lab::write_text(config_file(), "[sm]\ndrill_delay_ms = 0\n[calls]\nmax_calls = 9\n"));
    stemd_->signal(SIGHUP);
    EXPECT_TRUE(lab::eventually(
        [&] { return stemd_->errors().find("started anew: calls.max_calls") != std::string::npos; }, 2s));
    EXPECT_THAT(stemd_->errors(), HasSubstr("changed: sm.drill_delay_ms"));
    const std::string at_once =
        request_of(alice, {.method = "INVITE", .call_id = "at-once", .body = sdp_of(alice, 4002)});
    alice.send(bob, at_once);
    EXPECT_EQ(bob.receive(400ms), at_once);
}

TEST_P(Stemd, CallsCanBeListedAndDropped) {
    const Phone alice = caller(Family::v4);
    const Phone bob = callee(Family::v4);
    EXPECT_THAT(stemctl({"calls"}).value_or(""), HasSubstr("no calls"));
    ASSERT_NO_FATAL_FAILURE(establish(alice, bob, "listed"));
    EXPECT_THAT(stemctl({"calls"}).value_or(""), HasSubstr("sip:alice@example.com"));
    const auto list = boost::json::parse(stemctl({"calls", "list", "--json"}).value_or("null"));
    const std::string id(list.at("calls").at(0).at("id").as_string());
    EXPECT_THAT(stemctl({"calls", "show", id}).value_or(""), HasSubstr("Call-ID    listed"));
    EXPECT_THAT(stemctl({"flows", "--json"}).value_or(""), HasSubstr("4000"));
    EXPECT_THAT(stemctl({"calls", "drop", id}).value_or(""), HasSubstr("dropped"));
    EXPECT_THAT(stemctl({"calls", "--json"}).value_or(""), testing::Not(HasSubstr("\"up\"")));
    EXPECT_EQ(get("/v1/status").at("calls").at("pinholes"), 0);
    struct stat socket{};
    ASSERT_EQ(::stat(api::socket_path(run_dir(), "default").c_str(), &socket), 0);
    EXPECT_EQ(socket.st_mode & 07777U, 0660U);
}

// The Security Manager in stemd: it records calls, bounds those from inside, and says why.
TEST_P(Stemd, OutgoingCallsAreLimitedEndedAndRecorded) {
    ASSERT_TRUE(stemctl({"limit", "add", "long", "--duration", ":2"}));
    for (const auto family : {Family::v4, Family::v6}) {
        const std::string call = family == Family::v4 ? "four" : "six";
        const Phone inside = callee(family);
        const Phone outside = caller(family);
        ASSERT_TRUE(stemctl({"limit", "add", call, "--sequential", ":1", "--status", "488"}));
        ASSERT_NO_FATAL_FAILURE(establish(inside, outside, call));
        EXPECT_THAT(stemctl({"flows", "--json"}).value_or(""), HasSubstr("4000"));
        EXPECT_TRUE(lab::eventually([&] { return get("/v1/status").at("calls").at("pinholes") == 0; }, 20s))
            << "it has lasted for two seconds";
        const auto list =
            boost::json::parse(stemctl({"audit", "list", "--call-id", call, "--json"}).value_or("null"));
        std::vector<std::string> what;
        for (const auto& record : list.at("records").as_array()) {
            EXPECT_EQ(record.at("who"), "stemd");
            what.push_back(std::string(record.at("kind").as_string()) + " " +
                           std::string(record.at("action").as_string()));
        }
        EXPECT_THAT(what,
                    testing::ElementsAre("decision accept", "call going", "call answered", "call ended"));
        EXPECT_EQ(list.at("records").at(0).at("max_duration"), 2);
        // The second in a row to the same.
        const std::string again = request_of(
            inside, {.method = "INVITE", .call_id = call + "-again", .body = sdp_of(inside, 4000)});
        inside.send(outside, again);
        EXPECT_THAT(inside.receive(), HasSubstr("SIP/2.0 488 "));
        EXPECT_THAT(stemctl({"audit", "list", "--call-id", call + "-again"}).value_or(""),
                    HasSubstr("limit " + call + " of user *: sequential 2, and 1 is its critical level"));
        ASSERT_TRUE(stemctl({"limit", "del", call}));
    }
    EXPECT_THAT(metrics(), HasSubstr("stem_sm_admission_total{what=\"limit_refusals\"} 2\n"));
    EXPECT_EQ(get("/v1/status").at("security_manager").at("audit").at("lost"), 0);
}

TEST_P(Stemd, DeniedSourcesExpire) {
    ASSERT_TRUE(stemctl({"deny", "add", "203.0.113.9", "--for", "1s"}));
    EXPECT_TRUE(lab::eventually(
        [&] { return stemctl({"deny", "list"}).value_or("").find("203.0.113.9") == std::string::npos; },
        25s));
}

// A spam caller's source is denied by the INVITE that came from there, and no other.
TEST_P(Stemd, ASpamCallersSourceIsDenied) {
    ASSERT_TRUE(stemctl({"spam", "add", "*@example.com", "--deny", "1h"}));
    int spared = 0;
    for (const auto family : {Family::v4, Family::v6}) {
        const Phone alice = caller(family);
        const Phone bob = callee(family);
        const std::string address = alice.address().to_string();
        const Request invite{.method = "INVITE", .call_id = "spam-" + address, .body = sdp_of(alice, 4000)};
        alice.send(bob, request_of(alice, invite));
        EXPECT_EQ(bob.receive(300ms), "");
        const auto listed = [&] { return stemctl({"deny", "list", "--by", "sm"}).value_or(""); };
        EXPECT_TRUE(lab::eventually([&] { return listed().find(address + " ") != std::string::npos; }, 20s))
            << listed();
        EXPECT_THAT(listed(), HasSubstr("spam *@example.com"));
        EXPECT_THAT(metrics(), HasSubstr("stem_deny_entries{kind=\"addresses\",by=\"sm\"} 1\n"));
        alice.send(bob, request_of(alice, {.method = "OPTIONS", .call_id = "denied-" + address}));
        EXPECT_EQ(bob.receive(300ms), "");
        EXPECT_TRUE(lab::eventually(
            [&] { return stemctl({"drops"}).value_or("").find("deny ") != std::string::npos; }, 20s));
        // Let in again, and named a trunk: then its calls are dropped, and the rest of it goes on.
        ASSERT_TRUE(stemctl({"deny", "del", address}));
        ASSERT_TRUE(stemctl({"peers", "add", address}));
        alice.send(bob, request_of(alice, {.method = "INVITE", .call_id = "trunk-" + address, .body = {}}));
        EXPECT_EQ(bob.receive(300ms), "");
        spared++;
        EXPECT_TRUE(lab::eventually(
            [&] {
                return metrics().find(fmt::format("stem_sm_denials_total{{result=\"spared\"}} {}\n",
                                                  spared)) != std::string::npos;
            },
            20s));
        // The log tells of one a second: of the first in any case.
        EXPECT_THAT(stemd_->errors(), HasSubstr(" is not denied, as it is a known peer (trunk)"));
        EXPECT_THAT(stemctl({"deny", "list"}).value_or(""), HasSubstr("nobody is denied"));
        const std::string options = request_of(alice, {.method = "OPTIONS", .call_id = "free-" + address});
        alice.send(bob, options);
        EXPECT_EQ(bob.receive(), options);
    }
    EXPECT_THAT(metrics(), HasSubstr("stem_sm_denials_total{result=\"done\"} 2\n"));
    EXPECT_THAT(metrics(), HasSubstr("stem_deny_room{kind=\"streams\"} 16384\n"));
    EXPECT_THAT(metrics(), HasSubstr("stem_deny_full_total{kind=\"signalling_sources\"} 0\n"));
    EXPECT_THAT(metrics(), HasSubstr("stem_sm_denials_total{result=\"spared\"} 2\n"));
}

INSTANTIATE_TEST_SUITE_P(Modes, Stemd, testing::Values(Mode::bridge, Mode::router),
                         [](const auto& mode) { return mode.param == Mode::bridge ? "Bridge" : "Router"; });

} // namespace
} // namespace stem::stemd
