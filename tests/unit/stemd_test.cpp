// SPDX-License-Identifier: Apache-2.0
// The parts of stemd that need no kernel.
#include "ctl/stemd/decision_links.h"
#include "ctl/stemd/drop_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <sstream>

namespace stem::stemd {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class DropLogTest : public testing::Test {
  protected:
    DropLogTest() : before_(spdlog::default_logger()) {
        auto logger = std::make_shared<spdlog::logger>(
            "test", std::make_shared<spdlog::sinks::ostream_sink_st>(lines_));
        logger->set_pattern("%l %v");
        spdlog::set_default_logger(std::move(logger));
    }
    ~DropLogTest() override { spdlog::set_default_logger(before_); }

    std::ostringstream lines_;
    std::shared_ptr<spdlog::logger> before_;
    const Endpoint source_{*Address::parse("192.0.2.1"), 5060};
    const Endpoint destination_{*Address::parse("2001:db8::1"), 5061};
};

TEST_F(DropLogTest, NamesDirectionReasonAndEnds) {
    DropLog log(10);
    log.write(STEM_SIP_MALFORMED, STEM_INBOUND, source_, destination_, "no Call-ID");
    EXPECT_EQ(lines_.str(), "info inbound sip_malformed 192.0.2.1:5060 -> [2001:db8::1]:5061: no Call-ID\n");
}

TEST_F(DropLogTest, IsBoundedAndTellsHowMuchItLeftOut) {
    DropLog log(2);
    for (int i = 0; i < 5; ++i) {
        log.write(STEM_FRAME_UNREADABLE, STEM_OUTBOUND, "not UDP over IP");
    }
    const std::string first = lines_.str();
    EXPECT_EQ(std::ranges::count(first, '\n'), 2);
    log.tick();
    EXPECT_THAT(lines_.str(), HasSubstr("3 more lines about dropped messages left out"));
    lines_.str("");
    log.tick();
    EXPECT_EQ(lines_.str(), "");
    log.write(STEM_FRAME_UNREADABLE, STEM_OUTBOUND, "again");
    EXPECT_THAT(lines_.str(), HasSubstr("outbound frame_unreadable: again"));
}

TEST_F(DropLogTest, IsSilentAboutWhatHappensInEveryHeldCall) {
    DropLog log(10);
    log.write(STEM_SIP_ABSORBED, STEM_INBOUND, source_, destination_, "retransmission");
    log.write(STEM_SIP_ANSWERED, STEM_INBOUND, source_, destination_, "ACK to our 404");
    EXPECT_EQ(lines_.str(), "");
}

TEST_F(DropLogTest, LetsNobodyForgeLines) {
    DropLog log(10);
    log.write(STEM_SIP_MALFORMED, STEM_INBOUND, "a\r\nb\x1b[2Jc\xff");
    EXPECT_EQ(lines_.str(), "info inbound sip_malformed: a\\x0d\\x0ab\\x1b[2Jc\\xff\n");
    EXPECT_EQ(printable(std::string(300, 'x')), std::string(200, 'x') + "...");
}

// Answers when told to.
class FakeLink final : public sm::Link {
  public:
    void decide(const sm::Query& query, std::function<void(sm::Decision)> done) override {
        queries.push_back(query);
        done(answer);
    }
    void learn(const Binding& binding) override { learned.push_back(binding); }

    sm::Decision answer;
    std::vector<sm::Query> queries;
    std::vector<Binding> learned;
};

sm::Query query_of(const std::string& call_id) {
    sm::Query query;
    query.call_id = call_id;
    return query;
}

TEST(CountingLink, CountsEachKindAndPassesItOn) {
    FakeLink fake;
    CountingLink link(fake);
    int done = 0;
    for (const decltype(sm::Decision::action)& action : {decltype(sm::Decision::action)(sm::Accept{}),
                                                         {sm::Forward{}},
                                                         {sm::Reject{}},
                                                         {sm::Drop{}},
                                                         {sm::Drop{.spam = true}},
                                                         {sm::Accept{}}}) {
        fake.answer.action = action;
        link.decide(query_of("x"), [&](const sm::Decision& decision) {
            EXPECT_EQ(decision.action.index(), action.index());
            ++done;
        });
    }
    link.learn({});
    EXPECT_EQ(done, 6);
    EXPECT_EQ(fake.learned.size(), 1U);
    EXPECT_EQ(link.counts().accepted, 2U);
    EXPECT_EQ(link.counts().forwarded, 1U);
    EXPECT_EQ(link.counts().rejected, 1U);
    EXPECT_EQ(link.counts().dropped, 1U);
    EXPECT_EQ(link.counts().spam, 1U);
}

TEST(DelayedLink, IsLateByItsDelayAndNotOtherwise) {
    boost::asio::io_context loop;
    FakeLink fake;
    DelayedLink link(loop, fake);
    int done = 0;
    const auto count = [&](const sm::Decision&) { ++done; };
    link.decide(query_of("at once"), count);
    EXPECT_EQ(done, 1);
    link.set_delay(30ms);
    const auto begin = std::chrono::steady_clock::now();
    link.decide(query_of("late"), count);
    EXPECT_EQ(done, 1);
    EXPECT_EQ(fake.queries.size(), 1U) << "the decision is made when it is given";
    loop.run();
    EXPECT_EQ(done, 2);
    EXPECT_EQ(fake.queries.back().call_id, "late");
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 30ms);
}

TEST(DelayedLink, AnswersNobodyAfterItsEnd) {
    boost::asio::io_context loop;
    FakeLink fake;
    {
        DelayedLink link(loop, fake);
        link.set_delay(1ms);
        link.decide(query_of("lost"), [](const sm::Decision&) { FAIL(); });
    }
    loop.run();
    EXPECT_TRUE(fake.queries.empty());
}

} // namespace
} // namespace stem::stemd
