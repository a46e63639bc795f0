// SPDX-License-Identifier: Apache-2.0
// Rules are loaded while datagrams run:  outside ── ext0 STEM int0 ── inside. And what stemctl says of them.
#include "ctl/kernel/rules_file.h"
#include "ctl/kernel/ruleset_map.h"
#include "lab/enclosure.h"
#include "lab/process.h"
#include "lab/socket_address.h"
#include "lab/text_file.h"
#include "lab/world.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <atomic>
#include <thread>

namespace stem::kernel {
namespace {

using namespace std::chrono_literals;
using lab::Family;
using testing::HasSubstr;

constexpr auto patience = 120s;
constexpr std::uint16_t always_port = 9001; // every generation lets it in
constexpr std::uint16_t never_port = 9002;  // none does

Locations locations() {
    return {.bpffs = lab::bpffs(), .run_dir = lab::scratch() / "run"};
}

struct Outcome {
    int code = -1;
    std::string out;
    std::string err;
};

// One socket that sends and one that receives, on a port of the service's side.
struct Stream {
    UniqueFd from;
    UniqueFd to;
    sockaddr_in6 target{};
    std::uint64_t sent = 0;
    std::uint64_t received = 0;

    void send() {
        if (::sendto(from.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&target), sizeof(target)) ==
            1) {
            sent++;
        }
    }
    void drain() {
        std::array<char, 64> room{};
        while (::recv(to.get(), room.data(), room.size(), MSG_DONTWAIT) > 0) {
            received++;
        }
    }
};

class RulesTraffic : public testing::TestWithParam<Family> {
  protected:
    void SetUp() override {
        auto world = lab::World::create({.mode = lab::Mode::bridge, .middle = lab::Middle::bare});
        ASSERT_TRUE(world) << world.error().message();
        world_.emplace(std::move(*world));
        caller_ = world_->outside_address(lab::host::first_caller, GetParam());
        phone_ = world_->inside_address(lab::host::first_phone, GetParam());
        // Two ways to the same two verdicts: by policy and rule, or by rule and policy. Rules of one set with
        // the policy of the other would lose what must pass, or pass what must not.
        files_[0] = write("by-policy.toml", "[policy]\ninbound = \"pass\"\n", "never", "drop", never_port);
        files_[1] = write("by-rule.toml", "[policy]\ninbound = \"drop\"\n", "always", "pass", always_port);
        const auto attached = run({"attach", "--external", lab::external_port, "--internal",
                                   lab::internal_port, "--rules", files_[0]});
        ASSERT_EQ(attached.code, 0) << attached.err;
    }
    void TearDown() override {
        if (world_ && std::filesystem::exists(locations().pins("default"))) {
            EXPECT_EQ(run({"detach", "--force"}).code, 0);
        }
    }

    static std::string write(const std::string& name, const std::string& policy, const std::string& rule,
                             const std::string& action, std::uint16_t port) {
        const auto file = lab::scratch() / name;
        EXPECT_TRUE(lab::write_text(
            file, policy + "[[rule]]\nname = \"" + rule + "\"\naction = \"" + action + "\"\ninterface = \"" +
                      lab::external_port +
                      "\"\nprotocol = \"udp\"\ndestination_port = " + std::to_string(port) + "\n"));
        return file;
    }

    [[nodiscard]] Outcome run(const std::vector<std::string>& arguments) const {
        std::vector<std::string> line = {STEM_STEMCTL};
        line.insert(line.end(), arguments.begin(), arguments.end());
        auto process = lab::Process::start(
            {.name = "stemctl",
             .argv = std::move(line),
             .netns = &world_->middle(),
             .environment = {{"STEM_BPFFS", locations().bpffs}, {"STEM_RUN_DIR", locations().run_dir}}});
        if (!process) {
            ADD_FAILURE() << process.error().message();
            return {};
        }
        const auto code = process->wait(patience);
        EXPECT_TRUE(code) << code.error().message();
        return {.code = code.value_or(-1), .out = process->output(), .err = process->errors()};
    }
    [[nodiscard]] boost::json::value json(std::vector<std::string> arguments) const {
        arguments.emplace_back("--json");
        const auto outcome = run(arguments);
        EXPECT_EQ(outcome.code, 0) << outcome.err;
        return boost::json::parse(outcome.out);
    }

    [[nodiscard]] Stream stream(std::uint16_t port) const {
        auto from = lab::bind_udp(world_->outside(), {caller_, static_cast<std::uint16_t>(port + 1000)});
        auto to = lab::bind_udp(world_->inside(), {phone_, port});
        EXPECT_TRUE(from && to);
        Stream made{.from = std::move(*from), .to = std::move(*to)};
        made.target = lab::to_socket_address({phone_, port});
        return made;
    }

    std::optional<lab::World> world_;
    Address caller_;
    Address phone_;
    std::array<std::string, 2> files_;
};

TEST_P(RulesTraffic, NothingIsLostOrMisjudgedWhileRulesAreLoaded) {
    constexpr int flips = 300;
    constexpr int commands = 6;
    Stream always = stream(always_port);
    Stream never = stream(never_port);
    ASSERT_TRUE(lab::eventually( // until the hosts have found each other
        [&] {
            always.send();
            std::this_thread::sleep_for(5ms);
            always.drain();
            return always.received > 0;
        },
        patience));
    std::this_thread::sleep_for(50ms);
    always.drain();
    always.sent = always.received = 0;

    const auto instance = Instance::open(locations(), "default");
    ASSERT_TRUE(instance) << instance.error().message();
    const std::array sets = {read_rules_file(files_[0]), read_rules_file(files_[1])};
    ASSERT_TRUE(sets[0] && sets[1]);
    std::atomic<bool> stop = false;
    std::jthread traffic([&] {
        while (!stop) {
            for (auto* one : {&always, &never}) {
                one->send();
                one->drain();
            }
            std::this_thread::sleep_for(100us);
        }
    });
    for (std::size_t flip = 1; flip <= flips && !HasFailure(); flip++) {
        const auto loaded = load_rules(*instance, *sets[flip % 2]);
        ASSERT_TRUE(loaded) << loaded.error().message();
        EXPECT_EQ(*loaded, flip + 1);
    }
    for (std::size_t i = 0; i < commands; i++) {
        EXPECT_EQ(run({"rules", "load", files_[i % 2]}).code, 0);
    }
    stop = true;
    traffic.join();
    std::this_thread::sleep_for(200ms);
    always.drain();
    never.drain();
    EXPECT_GT(always.sent, 500U);
    EXPECT_EQ(always.received, always.sent);
    EXPECT_GT(never.sent, 500U);
    EXPECT_EQ(never.received, 0U);
    RecordProperty("packets", std::to_string(always.sent + never.sent));
}

TEST_P(RulesTraffic, ABadFileChangesNothing) {
    const auto before = json({"rules", "list"});
    const auto unknown = lab::scratch() / "unknown.toml";
    ASSERT_TRUE(
        lab::write_text(unknown, "[[rule]]\nname = \"x\"\naction = \"pass\"\ninterface = \"wan9\"\n"));
    for (const char* verb : {"load", "check"}) {
        const auto refused = run({"rules", verb, unknown});
        EXPECT_EQ(refused.code, 1);
        EXPECT_THAT(refused.err, HasSubstr("unknown.toml line 4, key 'interface'"));
        EXPECT_THAT(refused.err, HasSubstr(lab::external_port));
    }
    EXPECT_EQ(json({"rules", "list"}), before);
    EXPECT_EQ(before.at("generation").to_number<int>(), 1);
    EXPECT_EQ(before.at("rules").at(0).at("interface"), lab::external_port);
    EXPECT_EQ(before.at("rules").at(0).at("direction"), "inbound");
}

TEST_P(RulesTraffic, TellsWhatAPacketWouldMeet) {
    const auto packet = [&](const std::string& what, std::uint16_t port) {
        return "inbound " + what + " " + Endpoint{caller_, 4000}.to_string() + " -> " +
               Endpoint{phone_, port}.to_string();
    };
    const auto dropped = json({"rules", "test", packet("udp", never_port)});
    EXPECT_EQ(dropped.at("outcome"), "rule_drop");
    EXPECT_EQ(dropped.at("rules"), "generation 1");
    EXPECT_EQ(dropped.at("rule").at("name"), "never");
    EXPECT_EQ(dropped.at("rule").at("why").as_array().size(), 3U); // interface, protocol, port
    const auto passed = json({"rules", "test", packet("udp", always_port), "--explain"});
    EXPECT_EQ(passed.at("outcome"), "policy_pass");
    EXPECT_TRUE(passed.at("rule").is_null());
    ASSERT_EQ(passed.at("near_misses").as_array().size(), 1U);
    EXPECT_EQ(passed.at("near_misses").at(0).at("failed").at("field"), "destination_port");
    EXPECT_EQ(json({"rules", "test", packet("udp", always_port), "--file", files_[1]}).at("outcome"),
              "rule_pass");
    EXPECT_EQ(json({"rules", "test", packet("udp", 5060)}).at("outcome"), "steer_sip");

    // What comes before the rules.
    ASSERT_EQ(run({"deny", "add", caller_.to_string()}).code, 0);
    const auto denied = json({"rules", "test", packet("udp", always_port)});
    EXPECT_EQ(denied.at("outcome"), "deny");
    EXPECT_EQ(denied.at("before").at("reason"), "deny");
    const auto ssh = json(
        {"rules", "test",
         "outbound tcp " + Endpoint{phone_, 4000}.to_string() + " -> " + Endpoint{caller_, 22}.to_string()});
    EXPECT_EQ(ssh.at("outcome"), "failsafe");
    const auto text = run({"rules", "test", packet("udp", never_port)});
    EXPECT_THAT(text.out, HasSubstr("deny list"));
    EXPECT_THAT(text.out, HasSubstr("rule 1 'never' (drop) decides"));
    const auto nonsense = run({"rules", "test", "inbound", "udp"});
    EXPECT_EQ(nonsense.code, 1);
    EXPECT_THAT(nonsense.err, HasSubstr("too few"));
}

// What a rule logs is shown with its name, packet by packet.
TEST_P(RulesTraffic, EventsNameTheRule) {
    const auto file = lab::scratch() / "log.toml";
    ASSERT_TRUE(lab::write_text(file,
                                "[policy]\ninbound = \"pass\"\n[[rule]]\nname = \"watch\"\naction = \"log\"\n"
                                "protocol = \"udp\"\ndestination_port = 9001\n"));
    ASSERT_EQ(run({"rules", "load", file}).code, 0);
    Stream watched = stream(always_port);
    ASSERT_TRUE(lab::eventually(
        [&] {
            watched.send();
            std::this_thread::sleep_for(5ms);
            watched.drain();
            return watched.received > 0;
        },
        patience));
    const auto shown = run({"events", "--reason", "rule_logged", "--count", "1", "--json"});
    ASSERT_EQ(shown.code, 0) << shown.err;
    const auto event = boost::json::parse(shown.out);
    EXPECT_EQ(event.at("rule").at("name"), "watch");
    EXPECT_EQ(event.at("rule").at("generation").to_number<int>(), 2);
    EXPECT_EQ(event.at("kind"), "note");
    EXPECT_GT(json({"rules", "list"}).at("rules").at(0).at("packets").to_number<int>(), 0);
}

INSTANTIATE_TEST_SUITE_P(Both, RulesTraffic, testing::Values(Family::v4, Family::v6),
                         [](const auto& family) { return family.param == Family::v4 ? "v4" : "v6"; });

} // namespace
} // namespace stem::kernel
