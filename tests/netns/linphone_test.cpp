// SPDX-License-Identifier: Apache-2.0
// Linphone, a stack of its own (belle-sip, mediastreamer): it calls through STEM, is heard, hears, and hangs
// up.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "demo/stage.h"
#include "lab/enclosure.h"
#include "lab/rtp_endpoint.h"
#include "lab/sip_text.h"
#include "lab/sipp.h"
#include "lab/text_file.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;

#define ASSERT_OK(result) ASSERT_TRUE(result) << (result).error().message()

constexpr unsigned linphone_host = 73;
constexpr std::uint16_t media_port = 30000;

class Linphone : public testing::TestWithParam<lab::Family> {
  protected:
    void SetUp() override {
        if (!std::filesystem::exists("/usr/bin/linphonec")) {
            GTEST_SKIP() << "no linphonec here: apt-get install linphone-cli";
        }
        auto set_up = Stage::set_up({.programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD},
                                     .config = "[sm]\nunknown_user = \"accept\"\n"});
        ASSERT_OK(set_up);
        stage_ = std::move(*set_up);
        auto host = stage_->world().add_host(lab::Side::outside, linphone_host);
        ASSERT_OK(host);
        host_.emplace(std::move(*host));
    }
    // Starts it without a sound card; it takes commands at a socket of this run.
    void start_linphone() {
        const auto home = lab::scratch() / "linphone";
        std::filesystem::create_directories(home);
        const auto file = home / "linphonerc";
        ASSERT_TRUE(lab::write_text(file, fmt::format("[sip]\nsip_port=5060\nsip_tcp_port=-1\nuse_ipv6={}\n"
                                                      "[rtp]\naudio_rtp_port={}\n",
                                                      GetParam() == lab::Family::v6 ? 1 : 0, media_port)));
        auto started = lab::Process::start({.name = "linphonec",
                                            .argv = {"linphonec", "--pipe", "-c", file},
                                            .netns = &*host_,
                                            .environment = {{"HOME", home}, {"XDG_RUNTIME_DIR", home}}});
        ASSERT_OK(started);
        linphone_.emplace(std::move(*started));
        ASSERT_TRUE(lab::eventually([&] { return tell("soundcard use files").has_value(); }, 20s))
            << linphone_->last_words();
    }
    Result<std::string> tell(const std::string& command) const {
        return lab::run_command(
            {.name = "linphonecsh", .argv = {"linphonecsh", "generic", command}, .netns = &*host_});
    }
    [[nodiscard]] std::uint64_t carried(const Endpoint& from, const Endpoint& to) const {
        const auto flow = stage_->flow(from, to);
        return flow ? flow->value.packets : 0;
    }

    std::unique_ptr<Stage> stage_;
    std::optional<lab::Netns> host_;
    std::optional<lab::Process> linphone_;
};

INSTANTIATE_TEST_SUITE_P(Families, Linphone, testing::Values(lab::Family::v4, lab::Family::v6),
                         [](const auto& family) { return family.param == lab::Family::v4 ? "v4" : "v6"; });

TEST_P(Linphone, CallsAndTalks) {
    const auto& world = stage_->world();
    const Endpoint carol{.address = world.inside_address(phone::carol, GetParam()), .port = 5060};
    const Endpoint here{.address = carol.address, .port = media_port};
    const Endpoint there{.address = world.outside_address(linphone_host, GetParam()), .port = media_port};
    auto phone = lab::Sipp::start(
        world.inside(), {.scenario = "uas", .local = carol, .user = "carol", .calls = 1, .patience = 20s});
    ASSERT_OK(phone);
    auto voice = lab::RtpEndpoint::open(world.inside(), {{.local = here, .remote = there}});
    ASSERT_OK(voice);
    voice->send_all();
    ASSERT_NO_FATAL_FAILURE(start_linphone());
    const auto called = tell(fmt::format("call {}", lab::sip_uri("carol", carol.address)));
    ASSERT_OK(called);
    EXPECT_TRUE(lab::eventually([&] { return voice->counts(0).received > 100; }, 20s))
        << linphone_->last_words();
    EXPECT_GT(carried(there, here), 100U);
    EXPECT_GT(carried(here, there), 100U);
    ASSERT_OK(tell("terminate"));
    const auto counts = phone->wait(10s);
    ASSERT_OK(counts);
    EXPECT_EQ(counts->successful, 1U) << phone->error_log();
    EXPECT_TRUE(lab::eventually([&] { return !stage_->flow(there, here); }, 3s));
    for (const auto reason : {STEM_SIP_STATE, STEM_SIP_MALFORMED, STEM_SIP_FLOW, STEM_SIP_NO_DIALOG}) {
        EXPECT_EQ(stage_->packets(reason, STEM_INBOUND), 0U);
    }
    static_cast<void>(tell("quit"));
}

} // namespace
} // namespace stem::demo
