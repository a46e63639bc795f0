// SPDX-License-Identifier: Apache-2.0
// Calls by the hundred thousand, whose messages are lost, repeated and overtake each other: whatever
// happened, nothing of them is left at the end. STEM_SOAK_CALLS sets how many, STEM_SOAK_SEED another run of
// luck.
#include "fakes.h"

#include <malloc.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <queue>
#include <random>

namespace stem::call {
namespace {

constexpr std::uint64_t ms = 1'000'000;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class SoakTest : public MonitorTest {
  protected:
    struct Step {
        std::uint64_t at_ns;
        bool by_caller;
        std::string text;
        bool operator>(const Step& other) const { return at_ns > other.at_ns; }
    };

    bool chance(int percent) { return std::uniform_int_distribution(0, 99)(luck_) < percent; }
    std::uint64_t up_to(std::uint64_t most_ms) {
        return std::uniform_int_distribution<std::uint64_t>(0, most_ms)(luck_) * ms;
    }

    // On its way: lost one time in twelve, twice one time in twelve, late one time in six.
    void send(std::uint64_t after_ns, bool by_caller, const std::string& text) {
        const std::uint64_t at = clock_ + after_ns + (chance(16) ? up_to(900) : up_to(15));
        if (!chance(8)) {
            steps_.push({.at_ns = at, .by_caller = by_caller, .text = text});
        }
        if (chance(8)) {
            steps_.push({.at_ns = at + up_to(600), .by_caller = by_caller, .text = text});
        }
    }

    // What a call's two ends send, and when; neither hears of what became of it.
    void plan_call(std::uint64_t number) {
        Script call = script;
        const std::string name = std::to_string(number);
        call.call_id = "soak-" + name;
        call.branch = "z9hG4bK-" + name;
        call.caller_tag = "a" + name;
        call.callee_tag = "b" + name;
        call.caller_media_port = std::to_string(10000 + 2 * (number % 20000));
        const auto ack = [&] { return call.request("ACK", 1, "", call.callee_tag, call.branch + "a"); };
        clock_ = now + up_to(1000);
        const std::string body = chance(10) ? "" : call.caller_sdp();
        send(0, true, call.request("INVITE", 1, body));
        send(500 * ms, true, call.request("INVITE", 1, body));
        send(20 * ms, false, call.response(100, "INVITE", 1, ""));
        send(100 * ms, false, call.response(180, "INVITE", 1, call.callee_tag));
        if (chance(20)) {
            send(110 * ms, false, call.response(183, "INVITE", 1, call.callee_tag, call.callee_sdp()));
        }
        if (chance(15)) {
            send(120 * ms, false, call.response(183, "INVITE", 1, "fork" + name, call.callee_sdp()));
        }
        if (chance(15)) {
            send(400 * ms, true, call.request("CANCEL", 1));
            send(430 * ms, false, call.response(200, "CANCEL", 1, call.callee_tag));
        }
        if (chance(20)) {
            send(500 * ms, false, call.response(chance(50) ? 487 : 486, "INVITE", 1, call.callee_tag));
            send(520 * ms, true, call.request("ACK", 1, "", call.callee_tag));
            if (chance(50)) {
                return;
            }
        }
        send(500 * ms, false, call.response(200, "INVITE", 1, call.callee_tag, call.callee_sdp()));
        send(1000 * ms, false, call.response(200, "INVITE", 1, call.callee_tag, call.callee_sdp()));
        send(540 * ms, true, ack());
        send(1040 * ms, true, ack());
        if (chance(20)) {
            const std::string branch = call.branch + "r";
            call.caller_media_port = "9000";
            send(2000 * ms, true, call.request("INVITE", 2, call.caller_sdp(), call.callee_tag, branch));
            send(2050 * ms, false,
                 call.response(chance(70) ? 200 : 491, "INVITE", 2, call.callee_tag, call.callee_sdp(),
                               branch));
            send(2100 * ms, true, call.request("ACK", 2, "", call.callee_tag, branch + "a"));
        }
        if (chance(20)) {
            const std::string branch = call.branch + "u";
            send(2010 * ms, false, call.callee_request("UPDATE", 1, branch, call.callee_sdp()));
        }
        if (chance(90)) { // else nobody ever hangs up
            const bool by_caller = chance(60);
            const std::string branch = call.branch + "b";
            const std::string bye = by_caller ? call.request("BYE", 3, "", call.callee_tag, branch)
                                              : call.callee_request("BYE", 2, branch);
            send(3000 * ms, by_caller, bye);
            send(3500 * ms, by_caller, bye);
            if (by_caller) {
                send(3060 * ms, false, call.response(200, "BYE", 3, call.callee_tag, "", branch));
            }
        }
    }

    void run_until(std::uint64_t then) {
        while (!steps_.empty() && steps_.top().at_ns <= then) {
            const Step step = steps_.top();
            steps_.pop();
            now = std::max(now, step.at_ns);
            step.by_caller ? from_caller(step.text) : from_callee(step.text);
            if (!sm.waiting.empty() && chance(50)) {
                sm.waiting.front()(sm.decision);
                sm.waiting.erase(sm.waiting.begin());
            }
            if (now >= next_tick_) {
                monitor->tick(now);
                next_tick_ = now + 20 * ms;
            }
        }
        now = std::max(now, then);
        monitor->tick(now);
        egress.take();
    }

    std::mt19937_64 luck_{from_environment("STEM_SOAK_SEED", 20261128)};
    std::priority_queue<Step, std::vector<Step>, std::greater<>> steps_;
    std::uint64_t clock_ = 0;
    std::uint64_t next_tick_ = 0;
};

TEST_F(SoakTest, NothingIsLeftOfCallsThatMetBadLuck) {
    const std::uint64_t calls = from_environment("STEM_SOAK_CALLS", 10000);
    spdlog::set_level(spdlog::level::err);
    settings.idle = std::chrono::seconds(300);
    settings.cut_memory = std::chrono::seconds(120);
    restart();
    std::uint64_t number = 0;
    std::size_t used_at_first = 0;
    const auto run_round = [&] {
        for (int i = 0; i < 100 && number < calls; i++) {
            sm.late = chance(30);
            plan_call(number++);
        }
        run_until(now + second);
    };
    while (number < calls) {
        run_round();
        if (used_at_first == 0 && number >= calls / 2) { // as many calls linger now as ever will
            used_at_first = ::mallinfo2().uordblks;
        }
    }
    const std::size_t used_at_last = ::mallinfo2().uordblks;
    EXPECT_LT(used_at_last, used_at_first + used_at_first / 4 + 4'000'000) << "memory grows with the calls";
    for (int i = 0; i < 30; i++) {
        run_until(now + 30 * second);
    }
    for (auto& decide : sm.waiting) {
        decide(sm.decision);
    }
    const Totals totals = monitor->totals();
    EXPECT_GT(totals.calls_seen, calls * 8 / 10);
    EXPECT_GT(totals.calls_answered, calls / 3);
    EXPECT_EQ(totals.calls, 0U);
    EXPECT_EQ(totals.held, 0U);
    EXPECT_EQ(totals.byes_waiting, 0U);
    EXPECT_EQ(totals.transactions, 0U);
    EXPECT_EQ(totals.pinholes, 0U);
    EXPECT_EQ(totals.pinholes_opened, totals.pinholes_closed);
    EXPECT_EQ(totals.announced[STEM_INBOUND] + totals.announced[STEM_OUTBOUND], 0U);
    EXPECT_TRUE(flows.map.empty());
    EXPECT_TRUE(flows.learnings.empty());
    EXPECT_TRUE(records.map.empty());
    EXPECT_TRUE(monitor->dialogs().empty());
    for (const auto& dialog : monitor->dialogs()) {
        ADD_FAILURE() << dialog.call_id << " is " << dialog.state << ", with " << dialog.media.size()
                      << " streams";
    }
    spdlog::set_level(spdlog::level::info);
}

} // namespace
} // namespace stem::call
