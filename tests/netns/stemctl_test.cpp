// SPDX-License-Identifier: Apache-2.0
// stemctl on a data plane with traffic:  outside ── ext0 STEM int0 ── inside
#include "ctl/kernel/instance.h"
#include "lab/enclosure.h"
#include "lab/process.h"
#include "lab/socket_address.h"
#include "lab/text_file.h"
#include "lab/world.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>

namespace stem::stemctl {
namespace {

using namespace std::chrono_literals;
using lab::Family;
using testing::HasSubstr;

constexpr auto patience = 60s;
constexpr std::uint16_t source_port = 40000;
constexpr std::uint16_t service_port = 9999;

struct Outcome {
    int code = -1;
    std::string out;
    std::string err;

    [[nodiscard]] boost::json::object json() const {
        boost::json::error_code status;
        const auto value = boost::json::parse(out, status);
        EXPECT_FALSE(status) << out << err;
        return value.is_object() ? value.as_object() : boost::json::object{};
    }
};

std::string text_of(const boost::json::value& value) {
    return boost::json::value_to<std::string>(value);
}

kernel::Locations locations() {
    return {.bpffs = lab::bpffs(), .run_dir = lab::scratch() / "run"};
}

class Stemctl : public testing::Test {
  protected:
    void SetUp() override {
        auto world = lab::World::create({.mode = lab::Mode::bridge, .middle = lab::Middle::bare});
        ASSERT_TRUE(world) << world.error().message();
        world_.emplace(std::move(*world));
    }

    void TearDown() override {
        if (world_ && std::filesystem::exists(locations().pins("default"))) {
            EXPECT_EQ(run({"detach", "--force"}).code, 0);
        }
    }

    lab::Command command(std::vector<std::string> arguments, std::vector<std::string> prefix = {}) const {
        prefix.emplace_back(STEM_STEMCTL);
        prefix.insert(prefix.end(), arguments.begin(), arguments.end());
        return {.name = "stemctl",
                .argv = std::move(prefix),
                .netns = &world_->middle(),
                .environment = {{"STEM_BPFFS", locations().bpffs}, {"STEM_RUN_DIR", locations().run_dir}}};
    }

    // `prefix`: a program that runs stemctl in other circumstances.
    Outcome run(const std::vector<std::string>& arguments,
                const std::vector<std::string>& prefix = {}) const {
        auto process = lab::Process::start(command(arguments, prefix));
        if (!process) {
            ADD_FAILURE() << process.error().message();
            return {};
        }
        const auto code = process->wait(patience);
        EXPECT_TRUE(code) << code.error().message();
        return {.code = code.value_or(-1), .out = process->output(), .err = process->errors()};
    }

    Outcome attach(const std::vector<std::string>& more = {}) const {
        std::vector<std::string> arguments = {"attach", "--external", lab::external_port, "--internal",
                                              lab::internal_port};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run(arguments);
    }

    // Refused with exit code 1, and with `says` on stderr and in the JSON error.
    void expect_refused(const Outcome& outcome, const std::string& says) const {
        EXPECT_EQ(outcome.code, 1) << outcome.out << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr(says));
        const auto json = outcome.json();
        ASSERT_TRUE(json.contains("error")) << outcome.out;
        EXPECT_FALSE(json.at("error").at("remedy").as_string().empty()) << outcome.out;
    }

    std::optional<lab::World> world_;
};

TEST_F(Stemctl, AttachesTellsAndDetaches) {
    const auto attached = attach({"--json", "--xdp", "native"});
    ASSERT_EQ(attached.code, 0) << attached.err;
    const auto report = attached.json();
    EXPECT_EQ(report.at("mode"), "bridge");
    EXPECT_EQ(report.at("fell_back"), false);
    EXPECT_EQ(report.at("ports").at("external").at("interface"), "ext0");
    EXPECT_EQ(report.at("ports").at("internal").at("xdp"), "native");
    EXPECT_TRUE(report.at("warnings").as_array().empty()) << attached.out;

    const auto status = run({"status", "--json"}).json();
    EXPECT_EQ(status.at("ports").at("external").at("attached"), true);
    EXPECT_EQ(status.at("policy").at("inbound"), "drop");
    EXPECT_EQ(status.at("controller").at("running"), false);
    EXPECT_EQ(status.at("rules").at("generation").to_number<int>(), 1);
    EXPECT_THAT(run({"status"}).out, HasSubstr("ext0"));
    const auto modules = run({"modules", "--json"}).json();
    EXPECT_TRUE(std::ranges::any_of(modules.at("modules").as_array(), [](const auto& module) {
        return module.at("module") == "flow_monitor" && module.at("on") == true;
    }));

    const auto detached = run({"detach", "--json"});
    EXPECT_EQ(detached.code, 0) << detached.err;
    EXPECT_EQ(detached.json().at("detached"), true);
    expect_refused(run({"status", "--json"}), "nothing is attached");
    expect_refused(run({"detach", "--json"}), "nothing is attached");
    EXPECT_FALSE(std::filesystem::exists(locations().pins("default")));
    EXPECT_EQ(attach().code, 0); // the ports are free again
}

TEST_F(Stemctl, RefusesToAttachTwice) {
    ASSERT_EQ(attach().code, 0);
    expect_refused(attach({"--json"}), "it is attached already");
    // The same ports for another instance: names what is on them.
    expect_refused(attach({"--json", "--instance", "other"}), "'stem_external' is attached to it already");
    EXPECT_FALSE(std::filesystem::exists(locations().pins("other")));
    EXPECT_EQ(run({"status"}).code, 0);
}

TEST_F(Stemctl, RefusesInterfacesThatCannotBePorts) {
    expect_refused(run({"attach", "--external", "nope0", "--internal", "int0", "--json"}), "'nope0'");
    expect_refused(run({"attach", "--external", "int0", "--internal", "int0", "--json"}), "same interface");
    expect_refused(run({"attach", "--external", "ext0", "--internal", "lo", "--xdp", "native", "--json"}),
                   "attach to lo in native XDP mode");
    EXPECT_FALSE(std::filesystem::exists(locations().pins("default")));
    expect_refused(attach({"--instance", "a/b", "--json"}), "'a/b'");
    expect_refused(attach({"--failsafe", "ssh", "--json"}), "'ssh'");
    expect_refused(attach({"--rules", "/nonexistent.toml", "--json"}), "/nonexistent.toml");
    EXPECT_EQ(attach().code, 0); // nothing was left behind on ext0
}

TEST_F(Stemctl, TellsWhenAutoFallsBack) {
    const auto attached =
        run({"attach", "--external", "ext0", "--internal", "lo", "--xdp", "auto", "--json"});
    ASSERT_EQ(attached.code, 0) << attached.err;
    EXPECT_THAT(attached.err, HasSubstr("generic"));
    EXPECT_EQ(attached.json().at("fell_back"), true);
    EXPECT_EQ(attached.json().at("ports").at("external").at("xdp"), "generic");
    EXPECT_THAT(attached.json().at("fall_back_cause").as_string().c_str(), HasSubstr("lo"));
    EXPECT_THAT(run({"status"}).out, HasSubstr("generic"));
}

TEST_F(Stemctl, RefusesAnotherSchemaButDetachesIt) {
    ASSERT_EQ(attach().code, 0);
    const auto map = kernel::MetaMap::open(locations().pins("default") / "meta");
    ASSERT_TRUE(map) << map.error().message();
    auto meta = map->get(0);
    ASSERT_TRUE(meta && *meta);
    (*meta)->schema = STEM_SCHEMA_VERSION + 41;
    ASSERT_TRUE(map->put(0, **meta));
    for (const char* verb : {"status", "flows", "drops", "events", "modules"}) {
        expect_refused(run({verb, "--json"}), "schema version " + std::to_string(STEM_SCHEMA_VERSION + 41));
    }
    EXPECT_EQ(run({"detach"}).code, 0);
}

TEST_F(Stemctl, RefusesWithoutPrivilege) {
    ASSERT_EQ(attach().code, 0);
    const std::vector<std::string> nobody = {"setpriv",        "--reuid=65534",       "--regid=65534",
                                             "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"};
    const std::vector<std::vector<std::string>> lines = {
        {"attach", "--external", "ext0", "--internal", "int0", "--instance", "mine", "--json"},
        {"status", "--json"},
        {"deny", "add", "192.0.2.66", "--json"},
        {"detach", "--json"}};
    for (const auto& line : lines) {
        expect_refused(run(line, nobody), "run as root");
    }
    EXPECT_EQ(run({"status"}).code, 0);
}

TEST_F(Stemctl, DetachesUnderARunningStemdOnlyByForce) {
    ASSERT_EQ(attach().code, 0);
    const auto lock = kernel::FileLock::acquire(locations().controller_lock("default"), "the test");
    ASSERT_TRUE(lock) << lock.error().message();
    EXPECT_EQ(run({"status", "--json"}).json().at("controller").at("running"), true);
    expect_refused(run({"detach", "--json"}), "stemd runs on it");
    EXPECT_EQ(run({"status"}).code, 0);
    EXPECT_EQ(run({"detach", "--force"}).code, 0);
}

TEST_F(Stemctl, MountsItsOwnBpffsAndTakesItAway) {
    const auto place = (lab::scratch() / "own-bpf").string();
    const std::vector<std::string> in_place = {"--bpffs", place, "--json"};
    // In a mount namespace that ends with the command, the mount would be lost.
    const auto away = run({"attach", "--external", "ext0", "--internal", "int0", "--bpffs", place, "--json"},
                          {"unshare", "--mount"});
    expect_refused(away, "nsenter --net=");
    ASSERT_EQ(attach(in_place).code, 0);
    EXPECT_TRUE(std::filesystem::exists(place + "/default/flows"));
    EXPECT_EQ(run({"detach", "--bpffs", place}).code, 0);
    EXPECT_TRUE(std::filesystem::is_empty(place)) << "still mounted";
}

TEST_F(Stemctl, WrongUsageIsTwo) {
    EXPECT_EQ(run({}).code, 2);
    EXPECT_EQ(run({"attach", "--external", "ext0"}).code, 2);
    const auto unknown = run({"bogus"});
    EXPECT_EQ(unknown.code, 2);
    EXPECT_THAT(unknown.err, HasSubstr("'bogus'"));
    EXPECT_EQ(run({"--help"}).code, 0);
    EXPECT_EQ(run({"deny", "add", "--help"}).code, 0);
    EXPECT_THAT(run({"--version"}).out, HasSubstr("schema"));
}

TEST_F(Stemctl, EventsHaveOneReaderThatEndsInGoodOrder) {
    ASSERT_EQ(attach().code, 0);
    auto follower = lab::Process::start(command({"events", "--follow"}));
    ASSERT_TRUE(follower) << follower.error().message();
    ASSERT_TRUE(lab::eventually(
        [] { return kernel::FileLock::holder(locations().events_lock("default")).has_value(); }, patience));
    expect_refused(run({"events", "--json"}), std::to_string(follower->pid()));
    follower->signal(SIGINT);
    EXPECT_EQ(follower->wait(patience).value_or(-1), 0);
    expect_refused(run({"events", "--reason", "no_such", "--json"}), "'no_such'");
    EXPECT_EQ(run({"events"}).code, 0);
}

// With datagrams of either family.
class StemctlTraffic : public Stemctl, public testing::WithParamInterface<Family> {
  protected:
    void SetUp() override {
        ASSERT_NO_FATAL_FAILURE(Stemctl::SetUp());
        caller_ = world_->outside_address(lab::host::first_caller, GetParam());
        phone_ = world_->inside_address(lab::host::first_phone, GetParam());
        auto from = lab::bind_udp(world_->outside(), {caller_, source_port});
        auto to = lab::bind_udp(world_->inside(), {phone_, service_port});
        ASSERT_TRUE(from && to);
        outside_ = std::move(*from);
        inside_ = std::move(*to);
        ASSERT_EQ(attach().code, 0);
    }

    void send(std::string_view bytes) const {
        const auto address = lab::to_socket_address({phone_, service_port});
        ASSERT_EQ(::sendto(outside_.get(), bytes.data(), bytes.size(), 0,
                           reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
                  static_cast<ssize_t>(bytes.size()));
    }
    [[nodiscard]] bool arrives() const {
        pollfd readable{.fd = inside_.get(), .events = POLLIN, .revents = 0};
        return ::poll(&readable, 1, 5000) == 1;
    }

    [[nodiscard]] std::int64_t dropped(std::string_view reason) const {
        const auto output = run({"drops", "--json"}).json();
        for (const auto& row : output.at("reasons").as_array()) {
            if (row.at("reason").as_string() == boost::json::string_view(reason)) {
                return row.at("inbound").at("packets").to_number<std::int64_t>();
            }
        }
        return 0;
    }
    // Neighbour discovery comes before the first datagram, so its verdict takes a moment.
    [[nodiscard]] bool reaches(std::string_view reason, std::int64_t packets) const {
        return lab::eventually([&] { return dropped(reason) >= packets; }, patience) &&
               dropped(reason) == packets;
    }

    Address caller_;
    Address phone_;
    UniqueFd outside_;
    UniqueFd inside_;
};

TEST_P(StemctlTraffic, CountsAndReportsDrops) {
    for (int i = 0; i < 3; i++) {
        send("not asked for");
    }
    EXPECT_TRUE(reaches("no_pinhole", 3)) << run({"drops", "--all"}).out;
    EXPECT_THAT(run({"drops"}).out, HasSubstr("no_pinhole"));
    EXPECT_THAT(run({"drops", "--all"}).out, HasSubstr("neighbour"));

    const auto events = run({"events", "--count", "1", "--reason", "no_pinhole", "--json"});
    ASSERT_EQ(events.code, 0) << events.err;
    const auto event = events.json();
    EXPECT_EQ(event.at("reason"), "no_pinhole");
    EXPECT_EQ(event.at("direction"), "inbound");
    EXPECT_EQ(event.at("protocol"), "udp");
    EXPECT_EQ(text_of(event.at("source").at("address")), caller_.to_string());
    EXPECT_EQ(event.at("source").at("port").to_number<int>(), source_port);
    EXPECT_EQ(text_of(event.at("destination").at("address")), phone_.to_string());
    EXPECT_EQ(event.at("destination").at("port").to_number<int>(), service_port);

    const auto status = run({"status", "--json"}).json();
    EXPECT_GE(status.at("totals").at("inbound").at("drop").at("packets").to_number<int>(), 3);
    EXPECT_GE(status.at("events").at("sent").to_number<int>(), 3);
}

TEST_P(StemctlTraffic, DeniesAnAddressAndItsNetwork) {
    const std::string network = GetParam() == Family::v4 ? "192.0.2.0/28" : "2001:db8:1::/64";
    const std::string address = caller_.to_string();
    ASSERT_EQ(run({"deny", "add", address, "--for", "1h", "--note", "noisy"}).code, 0);
    EXPECT_THAT(run({"deny", "add", address, "--note", "noisy"}).out, HasSubstr("renewed"));
    send("denied by address");
    EXPECT_TRUE(reaches("deny", 1));

    const auto listed = run({"deny", "list", "--json"}).json().at("deny").as_array();
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(text_of(listed[0].at("source")), address);
    EXPECT_EQ(listed[0].at("note"), "noisy");
    EXPECT_EQ(listed[0].at("packets").to_number<int>(), 1);
    EXPECT_TRUE(listed[0].at("remaining_seconds").is_null());

    ASSERT_EQ(run({"deny", "add", network}).code, 0);
    ASSERT_EQ(run({"deny", "del", address}).code, 0);
    send("denied by network"); // its filter bit has outlived the rebuild that del made
    EXPECT_TRUE(reaches("deny_cidr", 1));
    ASSERT_EQ(run({"deny", "del", network}).code, 0);
    send("denied no more");
    EXPECT_TRUE(reaches("no_pinhole", 1));

    EXPECT_EQ(run({"deny", "del", network}).code, 1);
    expect_refused(run({"deny", "add", "::/0", "--json"}), "IPv4");
    expect_refused(run({"deny", "add", "example.org", "--json"}), "'example.org'");
    expect_refused(run({"deny", "add", address, "--for", "soon", "--json"}), "'soon'");
    EXPECT_TRUE(run({"deny", "list", "--json"}).json().at("deny").as_array().empty());
}

TEST_P(StemctlTraffic, ADenialEnds) {
    ASSERT_EQ(run({"deny", "add", caller_.to_string(), "--for", "1s"}).code, 0);
    std::this_thread::sleep_for(1100ms);
    send("late enough");
    EXPECT_TRUE(reaches("no_pinhole", 1));
    EXPECT_EQ(run({"deny", "list", "--json"}).json().at("deny").at(0).at("expired"), true);
}

TEST_P(StemctlTraffic, LoadsRulesAllAtOnceOrNotAtAll) {
    const auto file = lab::scratch() / "rules.toml";
    ASSERT_TRUE(lab::write_text(
        file, "[policy]\noutbound = \"pass\"\n[[rule]]\nname = \"service\"\naction = \"pass\"\n"
              "direction = \"inbound\"\nprotocol = \"udp\"\nsource = \"" +
                  caller_.to_string() + "\"\ndestination_port = 9999\n"));
    EXPECT_EQ(run({"rules", "check", file, "--json"}).json().at("count").to_number<int>(), 1);
    const auto loaded = run({"rules", "load", file, "--json"});
    ASSERT_EQ(loaded.code, 0) << loaded.err;
    EXPECT_EQ(loaded.json().at("generation").to_number<int>(), 2);
    send("let in by a rule");
    EXPECT_TRUE(arrives());

    const auto bad = lab::scratch() / "bad.toml";
    ASSERT_TRUE(lab::write_text(bad, "[[rule]]\nname = \"x\"\naction = \"allow\"\n"));
    expect_refused(run({"rules", "load", bad, "--json"}), "bad.toml line 3");
    expect_refused(run({"rules", "load", "/nonexistent.toml", "--json"}), "/nonexistent.toml");

    const auto rules = run({"rules", "list", "--json"}).json();
    EXPECT_EQ(rules.at("generation").to_number<int>(), 2);
    EXPECT_EQ(rules.at("policy").at("outbound"), "pass");
    ASSERT_EQ(rules.at("rules").as_array().size(), 1U);
    EXPECT_EQ(text_of(rules.at("rules").at(0).at("source")), caller_.to_string());
    EXPECT_EQ(rules.at("rules").at(0).at("packets").to_number<int>(), 1);
    EXPECT_THAT(run({"rules", "list"}).out, HasSubstr("service"));
}

TEST_P(StemctlTraffic, ShowsFlows) {
    EXPECT_TRUE(run({"flows", "--json"}).json().at("flows").as_array().empty());
    const auto instance = kernel::Instance::open(locations(), "default");
    ASSERT_TRUE(instance) << instance.error().message();
    const auto flows = instance->flows();
    ASSERT_TRUE(flows) << flows.error().message();
    stem_flow_key key{};
    key.src = caller_.raw();
    key.dst = phone_.raw();
    key.sport = source_port;
    key.dport = service_port;
    key.direction = STEM_INBOUND;
    key.protocol = IPPROTO_UDP;
    stem_flow flow{};
    flow.kind = STEM_FLOW_RTP;
    flow.payload_types[0] = 1;
    flow.max_payload = 200;
    flow.ns_per_packet = 10'000'000;
    flow.ns_per_kib = 1024 * 50'000; // 20,000 bytes a second
    flow.bytes_burst_ns = flow.packets_burst_ns = 1'000'000'000;
    flow.dialog = 0xabcd;
    ASSERT_TRUE(flows->put(key, flow));

    std::string rtp(172, '\0');
    rtp[0] = '\x80';
    send(rtp);
    EXPECT_TRUE(arrives());
    rtp[1] = 8; // PCMA, which nobody negotiated
    send(rtp);
    EXPECT_TRUE(reaches("rtp_payload_type", 1));

    const auto listed = run({"flows", "--json"}).json().at("flows").as_array();
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].at("direction"), "inbound");
    EXPECT_EQ(text_of(listed[0].at("source").at("address")), caller_.to_string());
    EXPECT_EQ(listed[0].at("kind"), "rtp");
    EXPECT_EQ(listed[0].at("payload_types").at(0).at("name"), "PCMU");
    EXPECT_EQ(listed[0].at("packets").to_number<int>(), 1);
    EXPECT_EQ(listed[0].at("dropped_packets").to_number<int>(), 1);
    EXPECT_EQ(listed[0].at("allowed_bytes_per_second").to_number<int>(), 20'000);
    EXPECT_EQ(listed[0].at("dialog"), "000000000000abcd");
    EXPECT_FALSE(listed[0].at("last_seen_ms_ago").is_null());
    const auto text = run({"flows"}).out;
    EXPECT_THAT(text, HasSubstr("160 kb/s"));
    EXPECT_THAT(text, HasSubstr(Endpoint{caller_, source_port}.to_string() + " → "));
}

INSTANTIATE_TEST_SUITE_P(Both, StemctlTraffic, testing::Values(Family::v4, Family::v6),
                         [](const auto& family) { return family.param == Family::v4 ? "v4" : "v6"; });

} // namespace
} // namespace stem::stemctl
