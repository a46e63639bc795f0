// SPDX-License-Identifier: Apache-2.0
// The second protocol parser with a real gateway: osmo-mgw inside, its call agent and both ends of the media
// outside.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <charconv>
#include <filesystem>
#include <tuple>

#include "demo/stage.h"
#include "lab/enclosure.h"
#include "lab/process.h"
#include "lab/rtp_endpoint.h"
#include "lab/sip_agent.h"
#include "lab/text_file.h"
#include "tests/expect_ok.h"
#include "tests/netns/every_world.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t gateway_port = 2427;
constexpr std::uint16_t agent_port = 2727;

class Mgcp : public testing::TestWithParam<lab::WorldKind> {
  protected:
    void SetUp() override {
        if (!std::filesystem::exists("/usr/bin/osmo-mgw")) {
            GTEST_SKIP() << "no osmo-mgw here: apt-get install osmo-mgw";
        }
        auto stage = Stage::set_up({.mode = std::get<0>(GetParam()),
                                    .programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD},
                                    .config = "[parsers]\nload = [\"sip\", \"mgcp\"]\n"});
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
        start_gateway();
        auto agent =
            lab::SipAgent::create(stage_->world().outside(), {.address = outside(), .port = agent_port});
        ASSERT_OK(agent);
        agent_.emplace(std::move(*agent));
    }
    [[nodiscard]] lab::Family family() const { return std::get<1>(GetParam()); }
    [[nodiscard]] Address inside() const { return stage_->world().inside_address(phone::erin, family()); }
    [[nodiscard]] Address outside() const {
        return stage_->world().outside_address(lab::host::first_caller, family());
    }
    void start_gateway() {
        const auto folder = lab::scratch() / "mgw";
        std::error_code ignored; // the next line tells
        std::filesystem::create_directory(folder, ignored);
        const std::string ip = inside().to_string();
        ASSERT_OK(lab::write_text(
            folder / "mgw.cfg",
            fmt::format("mgcp\n bind ip {0}\n bind port {1}\n rtp port-range 16000 16100\n"
                        " rtp {2} {0}\n no rtp ip-probing\n number endpoints 31\n",
                        ip, gateway_port, family() == lab::Family::v4 ? "bind-ip" : "bind-ip-v6")));
        auto gateway = lab::Process::start({.name = "osmo-mgw",
                                            .argv = {"osmo-mgw", "-c", folder / "mgw.cfg"},
                                            .netns = &stage_->world().inside(),
                                            .directory = folder});
        ASSERT_OK(gateway);
        gateway_.emplace(std::move(*gateway));
    }
    // The gateway's answer to a command of ours, asked again while it starts.
    [[nodiscard]] std::string ask(const std::string& command) {
        std::string answer;
        EXPECT_TRUE(lab::eventually(
            [&] {
                if (!agent_->send({.address = inside(), .port = gateway_port}, command)) {
                    return false;
                }
                const auto got = agent_->receive(500ms);
                answer = got ? got->text : "";
                return !answer.empty();
            },
            10s))
            << command << gateway_->last_words();
        return answer;
    }
    [[nodiscard]] std::string create(int transaction, const std::string& endpoint, std::uint16_t port) const {
        const std::string ip = (family() == lab::Family::v4 ? "IP4 " : "IP6 ") + outside().to_string();
        return fmt::format("CRCX {} {}@mgw MGCP 1.0\r\nC: 2a\r\nL: p:20, a:PCMA\r\nM: "
                           "sendrecv\r\n\r\nv=0\r\no=- 1 1 IN {}\r\n"
                           "s=-\r\nc=IN {}\r\nt=0 0\r\nm=audio {} RTP/AVP 8\r\na=ptime:20\r\n",
                           transaction, endpoint, ip, ip, port);
    }
    // What stands behind `name` in one of the answer's lines.
    static std::string value_of(const std::string& answer, const std::string& name) {
        const std::size_t at = answer.find("\n" + name);
        if (at == std::string::npos) {
            return {};
        }
        const std::size_t from = at + 1 + name.size();
        return answer.substr(from, answer.find_first_of("\r\n", from) - from);
    }
    [[nodiscard]] Endpoint media_of(const std::string& answer) const {
        const std::string port = value_of(answer, "m=audio ");
        std::uint16_t number = 0;
        std::from_chars(port.data(), port.data() + port.size(), number);
        return {.address = inside(), .port = number};
    }
    [[nodiscard]] std::size_t pinholes() const {
        return stage_->flows().value_or(std::vector<kernel::FlowEntry>{}).size();
    }

    std::unique_ptr<Stage> stage_;
    std::optional<lab::Process> gateway_;
    std::optional<lab::SipAgent> agent_;
};

INSTANTIATE_TEST_SUITE_P(Worlds, Mgcp, lab::every_world(), lab::name_of_world);

TEST_P(Mgcp, AGatewaysConnectionsHaveTheirPinholes) {
    const std::string first = ask(create(1, "rtpbridge/*", 24000));
    ASSERT_TRUE(first.starts_with("200 1 ")) << first;
    const std::string endpoint = value_of(first, "Z: ");
    ASSERT_FALSE(endpoint.empty()) << first;
    const std::string second = ask(create(2, endpoint.substr(0, endpoint.find('@')), 24100));
    ASSERT_TRUE(second.starts_with("200 2 ")) << second;
    EXPECT_EQ(pinholes(), 8U);
    auto voices = lab::RtpEndpoint::open(
        stage_->world().outside(),
        {{.local = {.address = outside(), .port = 24000}, .remote = media_of(first)},
         {.local = {.address = outside(), .port = 24100}, .remote = media_of(second)}});
    ASSERT_OK(voices);
    voices->send_all();
    EXPECT_TRUE(lab::eventually(
        [&] { return voices->counts(0).received > 50 && voices->counts(1).received > 50; }, 10s))
        << voices->counts(0).received << " and " << voices->counts(1).received
        << " packets through the gateway";
    const std::string deleted = ask(fmt::format("DLCX 3 {} MGCP 1.0\r\nC: 2a\r\n", endpoint));
    EXPECT_TRUE(deleted.starts_with("200 3 ") || deleted.starts_with("250 3 ")) << deleted;
    EXPECT_TRUE(lab::eventually([&] { return pinholes() == 0; }, 3s));
}

TEST_P(Mgcp, WhatBreaksTheProtocolDoesNotReachTheGateway) {
    (void)ask("AUEP 1 null@mgw MGCP 1.0\r\n"); // it is up
    const auto refused = [&] { return stage_->packets(STEM_SIP_MALFORMED, STEM_INBOUND); };
    const auto before = refused();
    const Endpoint gateway{.address = inside(), .port = gateway_port};
    for (const char* bad :
         {"CRCX\r\n", "CRCX 1 a@b SIP/2.0\r\n", "CRCX 5 rtpbridge/*@mgw MGCP 1.0\r\nC: not-hex\r\n"}) {
        ASSERT_OK(agent_->send(gateway, bad));
    }
    EXPECT_TRUE(lab::eventually([&] { return refused() == before + 3; }, 3s));
    ASSERT_OK(agent_->send(gateway, "200 77 OK\r\n"));
    EXPECT_TRUE(
        lab::eventually([&] { return stage_->packets(STEM_SIP_NO_TRANSACTION, STEM_INBOUND) >= 1; }, 3s));
}

} // namespace
} // namespace stem::demo
