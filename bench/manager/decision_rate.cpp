// SPDX-License-Identifier: Apache-2.0
#include "manager/many_users.h"
#include "manager/measures.h"

#include <fmt/format.h>

#include <ctime>

namespace stem::bench {
namespace {

constexpr double aim = 50'000; // issue 5
constexpr unsigned users = 10'000;
constexpr unsigned batch = 1000; // calls that are asked for, go in and end, before the clock is read

double cpu_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

class DecisionRate : public Measure {
  public:
    [[nodiscard]] std::string name() const override { return "sm_decisions"; }
    [[nodiscard]] std::string help() const override {
        return "decisions a second on one core: 10,000 users, 10 rules, 100,000 spam callers, audit trail, "
               "SQLite or PostgreSQL behind";
    }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        auto audited = ManyUsers::make("sm-rate", users, true);
        if (!audited) {
            return std::unexpected(audited.error());
        }
        auto plain = ManyUsers::make("sm-rate-plain", users, false);
        if (!plain) {
            return std::unexpected(plain.error());
        }
        const auto postgres = lab::Postgres::create({.durable = true});
        auto shared = postgres ? ManyUsers::make("sm-rate-postgresql", users, true, &*postgres)
                               : std::unexpected(postgres.error());
        if (!shared) {
            return std::unexpected(shared.error());
        }
        std::vector<double> rates;
        std::vector<double> without;
        std::vector<double> over_postgresql;
        for (unsigned round = 1; round <= settings.repetitions; ++round) {
            const auto one = rate_of(**audited, settings.run_time);
            const auto other = rate_of(**plain, settings.run_time);
            const auto third = rate_of(**shared, settings.run_time);
            if (!one || !other || !third) {
                return std::unexpected(!one ? one.error() : !other ? other.error() : third.error());
            }
            rates.push_back(*one);
            without.push_back(*other);
            over_postgresql.push_back(*third);
            progress(fmt::format(
                "{} of {}: {:.0f} a second, {:.0f} without an audit trail, {:.0f} over PostgreSQL", round,
                settings.repetitions, *one, *other, *third));
        }
        if ((*audited)->trail()->counts().lost > 0) {
            return fail("write the audit trail", (*audited)->trail()->failure());
        }
        return std::vector<Figure>{
            {.name = "sm_decisions_per_second",
             .unit = "per second",
             .spread = spread_of(rates),
             .aim = aim,
             .details = {{.name = "without_audit_trail", .value = spread_of(without).median},
                         {.name = "users", .value = users},
                         {.name = "spam_callers", .value = ManyUsers::spam_callers}}},
            {.name = "sm_decisions_postgresql_per_second",
             .unit = "per second",
             .spread = spread_of(over_postgresql),
             .aim = aim}};
    }

  private:
    // CPU time of this thread: the trail's own brings it to the disk.
    Result<double> rate_of(ManyUsers& many, std::chrono::milliseconds run_time) {
        const auto until = std::chrono::steady_clock::now() + run_time;
        double spent = 0;
        std::uint64_t decisions = 0;
        while (std::chrono::steady_clock::now() < until) {
            std::vector<sm::Query> queries;
            for (unsigned i = 0; i < batch; ++i) {
                queries.push_back(many.query(next_++));
            }
            const double before = cpu_seconds();
            for (const auto& query : queries) {
                if (!std::holds_alternative<sm::Accept>(many.admission().decide(query, "bench").action)) {
                    return fail("decide of a call", "it was not accepted");
                }
                ++decisions;
            }
            spent += cpu_seconds() - before;
            for (const auto& query : queries) { // else they would add up
                many.admission().follow({.call = query.call,
                                         .call_id = query.call_id,
                                         .caller = query.caller,
                                         .callee = query.callee,
                                         .user = {},
                                         .state = sm::Link::CallEvent::State::ended,
                                         .at = query.at},
                                        "bench");
            }
            many.admission().tick();
        }
        return static_cast<double>(decisions) / spent;
    }

    std::uint64_t next_ = 0;
};

} // namespace

std::unique_ptr<Measure> make_decision_rate() {
    return std::make_unique<DecisionRate>();
}

} // namespace stem::bench
