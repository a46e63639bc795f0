// SPDX-License-Identifier: Apache-2.0
// Real calls by the thousand over lines that lose messages: whatever became of them, at the end nothing of
// them is left in stemd, and no frame is missing. STEM_SOAK_CALLS sets how many.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "ctl/api/client.h"
#include "ctl/api/socket_path.h"
#include "demo/stage.h"
#include "lab/enclosure.h"
#include "lab/sipp.h"
#include "lab/text_file.h"
#include "tests/expect_ok.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;

class Soak : public testing::TestWithParam<lab::Family> {
  protected:
    static boost::json::value status() {
        const auto answer = api::Client(api::socket_path(lab::scratch() / "run", "default"), "default")
                                .must({"GET", "/v1/status"});
        EXPECT_TRUE(answer) << answer.error().message();
        return boost::json::parse(answer.value_or("{}"));
    }
    // Timer C of an INVITE that was never answered finally, and 64*T1.
    static void expect_nothing_left(const boost::json::value& at_first) {
        boost::json::value last;
        const bool empty = lab::eventually(
            [&] {
                last = status();
                const auto& calls = last.at("calls");
                return calls.at("now") == 0 && calls.at("held") == 0 && calls.at("transactions") == 0 &&
                       calls.at("pinholes") == 0 && last.at("pool").at("held") == 0;
            },
            260s);
        EXPECT_TRUE(empty) << boost::json::serialize(last.at("calls"));
        EXPECT_EQ(last.at("pool"), at_first.at("pool"));
        EXPECT_GT(last.at("calls").at("pinholes_opened").to_number<std::uint64_t>(), 0U);
        EXPECT_EQ(last.at("calls").at("pinholes_opened"), last.at("calls").at("pinholes_closed"));
    }
    void play(unsigned calls) const;
    [[nodiscard]] std::uint64_t resident_kb() const {
        const auto text = lab::read_text(fmt::format("/proc/{}/status", stage_->stemd().pid())).value_or("");
        const auto at = text.find("VmRSS:");
        return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + 6, nullptr, 10);
    }

    std::unique_ptr<Stage> stage_;
};

INSTANTIATE_TEST_SUITE_P(Families, Soak, testing::Values(lab::Family::v4, lab::Family::v6),
                         [](const auto& family) { return family.param == lab::Family::v4 ? "v4" : "v6"; });

void Soak::play(unsigned calls) const {
    const auto& world = stage_->world();
    const Endpoint callee{.address = world.inside_address(phone::carol, GetParam()), .port = 5060};
    const Endpoint caller{.address = world.outside_address(lab::host::first_caller, GetParam()),
                          .port = 5062};
    const std::chrono::seconds limit(120 + calls / 50);
    const lab::SippOptions answers{.scenario = "uas",
                                   .local = callee,
                                   .remote = caller,
                                   .user = "carol",
                                   .calls = 0,
                                   .limit = limit + std::chrono::seconds(20), // whoever asks ends first
                                   .lost_percent = 4};
    const lab::SippOptions asks{.scenario = "uac",
                                .local = caller,
                                .remote = callee,
                                .user = "carol",
                                .calls = calls,
                                .rate = 200,
                                .parallel = 2000,
                                .talk = 200ms,
                                .limit = limit,
                                .lost_percent = 4};
    auto uas = lab::Sipp::start(world.inside(), answers);
    auto uac = lab::Sipp::start(world.outside(), asks);
    ASSERT_OK(uas);
    ASSERT_OK(uac);
    const auto counts = uac->wait(asks.limit + 20s);
    ASSERT_OK(counts);
    uas->stop();
    EXPECT_EQ(counts->created, calls);
    EXPECT_GE(counts->successful, calls * 9 / 10) << uac->error_log().substr(0, 2000);
    EXPECT_GT(counts->retransmissions, calls / 20) << "nothing was lost";
    fmt::print("{} calls, {} successful, {} retransmissions; stemd has {} kB\n", counts->created,
               counts->successful, counts->retransmissions, resident_kb());
}

TEST_P(Soak, NothingIsLeftOfRealCalls) {
    // 5 seconds of silence end a call whose BYE was lost for good; nobody sends media here.
    auto set_up =
        Stage::set_up({.programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD},
                       .config = "[sm]\nunknown_user = \"accept\"\n[media]\nsilence_seconds = 5\n"});
    ASSERT_OK(set_up);
    stage_ = std::move(*set_up);
    // As an unknown source it would be a flood.
    ASSERT_OK(stage_->stemctl(
        {"peers", "add", stage_->world().outside_address(lab::host::first_caller, GetParam()).to_string()}));
    const auto at_first = status();
    const char* asked = std::getenv("STEM_SOAK_CALLS");
    if (asked == nullptr) {
        play(300);
        expect_nothing_left(at_first);
        return;
    }
    const auto half = static_cast<unsigned>(std::strtoul(asked, nullptr, 10) / 2);
    play(half);
    expect_nothing_left(at_first);
    const auto resident = resident_kb();
    play(half);
    expect_nothing_left(at_first);
    EXPECT_LE(resident_kb(), resident + resident / 20 + 1000) << "memory grows with the calls";
}

} // namespace
} // namespace stem::demo
