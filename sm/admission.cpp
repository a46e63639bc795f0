// SPDX-License-Identifier: Apache-2.0
#include "sm/admission.h"

#include "sm/timestamp.h"

#include <fmt/format.h>

#include <algorithm>

namespace stem::sm {
namespace {

constexpr int seconds_per_minute = 60;
constexpr std::chrono::minutes quiet{1}; // between lines of the log that say the same
constexpr std::size_t most_warned = 10000;

bool lets_in(const Decision& decision) {
    return std::holds_alternative<Accept>(decision.action) ||
           std::holds_alternative<Forward>(decision.action);
}

Link::CallEvent event_of(const Query& query, const Decision& decision) {
    return {.call = query.call,
            .call_id = query.call_id,
            .caller = query.caller,
            .callee = query.callee,
            .direction = query.direction,
            .user = decision.user,
            .state = Link::CallEvent::State::going,
            .at = query.at};
}

void add_step(Steps* steps, std::string what, bool decided, std::string why) {
    if (steps != nullptr) {
        steps->push_back({.what = std::move(what), .decided = decided, .why = std::move(why)});
    }
}

audit::Record limit_record(const Finding& finding, const Query& query, TimePoint at, const std::string& who) {
    audit::Record record(audit::Kind::limit, at, who);
    record.text("call_id", query.call_id)
        .text("call", query.call)
        .text("caller", query.caller)
        .text("callee", query.callee)
        .text("user", finding.user)
        .text("action", finding.critical ? "critical" : "warning")
        .text("limit", finding.limit)
        .text("level", finding.what)
        .number("value", finding.value)
        .number("bound", finding.level)
        .text("why", finding.to_string());
    return record;
}

} // namespace

Admission::Admission(Directory& directory, const Settings& settings, audit::Trail* trail, Clock clock)
    : directory_(directory), decider_(directory, settings), trail_(trail), clock_(std::move(clock)) {
}

std::string Admission::user_counter(std::string_view user) {
    return fmt::format("user {}", user);
}

std::string Admission::profile_counter(std::string_view profile) {
    return fmt::format("profile {}", profile);
}

void Admission::record(const audit::Record& record) {
    if (trail_ != nullptr) {
        trail_->write(record);
    }
}

void Admission::warn(const std::string& text) {
    if (warn_) {
        warn_(text);
    }
}

Admission::Bounded Admission::bound_inbound(const Decision& decision, Steps* steps) const {
    Bounded bounded;
    const auto* entry = decision.user.empty() ? nullptr : directory_.find_user(decision.user);
    if (entry == nullptr) {
        return bounded;
    }
    const User& user = entry->user;
    const Profile* profile = user.profile.empty() ? nullptr : directory_.find_profile(user.profile);
    const auto look = [&](std::string counter, std::int64_t most, const std::string& whose) {
        const std::int64_t now = calls_.count(counter);
        bounded.counters.push_back(std::move(counter));
        if (most == 0) {
            return;
        }
        const bool busy = now >= most && !bounded.refusal;
        const auto elsewhere = calls_.count_elsewhere(bounded.counters.back());
        add_step(steps, "max_calls of " + whose, busy,
                 fmt::format(
                     "{} in progress{}, at most {}", now,
                     elsewhere == 0 ? "" : fmt::format(" ({} of them by other Security Managers)", elsewhere),
                     most));
        if (busy) {
            const int status = decider_.settings().busy_status;
            bounded.cause = Bounded::Cause::busy;
            bounded.refusal =
                Decision{.action = Reject{status, {}},
                         .user = decision.user,
                         .why = fmt::format("{}; {} has {} calls in progress, the most that max_calls "
                                            "allows -> reject {}",
                                            decision.why, whose, now, status)};
        }
    };
    look(user_counter(user.name), user.max_calls, "user " + user.name);
    if (profile != nullptr) {
        look(profile_counter(profile->name), profile->max_calls, "profile " + profile->name);
    }
    return bounded;
}

Admission::Bounded Admission::bound_outbound(const Query& query, const Decision& decision,
                                             Steps* steps) const {
    Bounded bounded;
    const TimePoint now = clock_();
    bounded.outgoing = Limits::outgoing_of(directory_, query.caller, query.callee);
    const Outgoing& call = *bounded.outgoing;
    const auto refuse = [&](Bounded::Cause cause, int status, const std::string& why) {
        if (!bounded.refusal) {
            bounded.cause = cause;
            bounded.refusal = Decision{.action = Reject{status, {}},
                                       .user = call.user == any_caller ? std::string() : call.user,
                                       .why = fmt::format("{} -> reject {}", why, status)};
        }
    };
    if (const auto block = directory_.blocks().find(call.user);
        block != directory_.blocks().end() && block->second.until > now) {
        const std::string why = fmt::format("outgoing calls of user {} are blocked until {}: {}", call.user,
                                            to_timestamp(block->second.until), block->second.why);
        add_step(steps, "block of user " + call.user, true, why);
        refuse(Bounded::Cause::blocked, 403, why);
        return bounded;
    }
    for (const auto& [name, limit] : directory_.limits()) {
        if (!Limits::covers(limit, call, now)) {
            continue;
        }
        bounded.limits.push_back(&limit);
        if (limit.concurrent.any()) {
            bounded.counters.push_back(Limits::counter(limit, call.user));
        }
        if (limit.duration.critical) {
            const std::chrono::seconds most(*limit.duration.critical);
            bounded.max_duration =
                bounded.max_duration.count() == 0 ? most : std::min(bounded.max_duration, most);
        }
        bool critical = false;
        for (Finding& finding : limits_.judge(limit, call, calls_, now)) {
            add_step(steps, "limit " + name, finding.critical, finding.to_string());
            if (finding.critical) {
                critical = true;
                refuse(Bounded::Cause::limit, limit.status, finding.to_string());
            }
            bounded.findings.push_back(std::move(finding));
        }
        if (!critical) {
            add_step(steps, "limit " + name, false, fmt::format("it holds for user {}", call.user));
        }
    }
    if (bounded.refusal) {
        bounded.refusal->why = decision.why + "; " + bounded.refusal->why;
    }
    return bounded;
}

Admission::Bounded Admission::bound(const Query& query, const Decision& decision, Steps* steps) const {
    if (!lets_in(decision)) {
        return {};
    }
    return query.direction == STEM_INBOUND ? bound_inbound(decision, steps)
                                           : bound_outbound(query, decision, steps);
}

Admission::Explanation Admission::explain(const Query& query) const {
    Explanation explanation;
    explanation.decision = decider_.decide(query, &explanation.steps);
    Bounded bounded = bound(query, explanation.decision, &explanation.steps);
    explanation.decision.max_duration = bounded.max_duration;
    if (bounded.refusal) {
        for (Step& step : explanation.steps) { // the last word was another's
            step.decided =
                step.decided && (step.what.starts_with("limit ") || step.what.starts_with("max_calls ") ||
                                 step.what.starts_with("block "));
        }
        explanation.decision = std::move(*bounded.refusal);
    }
    return explanation;
}

Decision Admission::decide(const Query& query, const std::string& firewall) {
    ++counts_.decisions;
    const Calls::Key key(firewall, query.call);
    if (calls_.erase(key)) { // asked anew, as after a link that broke: it is not two
        limits_.take_back(key);
    } else {
        limits_.settle(key);
    }
    Decision decision = decider_.decide(query);
    Bounded bounded = bound(query, decision, nullptr);
    act_on(bounded, query, firewall);
    if (bounded.refusal) {
        decision = std::move(*bounded.refusal);
    } else if (lets_in(decision)) {
        decision.max_duration = bounded.max_duration;
        if (bounded.outgoing && bounded.outgoing->user != any_caller) {
            decision.user = bounded.outgoing->user;
        }
        take_in(bounded, key);
        if (!query.call.empty()) {
            calls_.expect(key, event_of(query, decision), std::move(bounded.counters), clock_());
        }
    }
    // Whoever asks us will find out who calls, and ask again, or tell by refused().
    if (trail_ != nullptr && !std::holds_alternative<Challenge>(decision.action)) {
        record(audit::decision_record(query, decision, firewall));
    }
    return decision;
}

void Admission::refused(const Query& query, const Decision& refusal, const std::string& firewall) {
    if (trail_ != nullptr) {
        record(audit::decision_record(query, refusal, firewall));
    }
}

void Admission::take_in(const Bounded& bounded, const Calls::Key& key) {
    for (const Limit* limit : bounded.limits) {
        limits_.count(key, *limit, *bounded.outgoing, clock_());
    }
}

void Admission::act_on(const Bounded& bounded, const Query& query, const std::string& firewall) {
    switch (bounded.cause) {
    case Bounded::Cause::none:
        break;
    case Bounded::Cause::busy:
        ++counts_.busy;
        break;
    case Bounded::Cause::blocked:
        ++counts_.blocked;
        break;
    case Bounded::Cause::limit:
        ++counts_.limit_refusals;
        break;
    }
    const TimePoint now = clock_();
    for (const Finding& finding : bounded.findings) {
        counts_.limit_warnings += finding.critical ? 0U : 1U;
        record(limit_record(finding, query, now, firewall));
        const std::string kind =
            fmt::format("{} {} {} {}", finding.limit, finding.user, finding.what, finding.critical);
        const auto told = warned_.find(kind);
        if (told == warned_.end() || now - told->second >= quiet) {
            if (warned_.size() < most_warned || told != warned_.end()) {
                warned_[kind] = now;
            }
            warn(fmt::format("{}; call {} to {}", finding.to_string(), query.call_id, query.callee));
        }
        const auto limit = directory_.limits().find(finding.limit);
        if (!finding.critical || limit->second.block_seconds == 0) {
            continue;
        }
        const Block block{.user = finding.user,
                          .until = std::chrono::floor<std::chrono::seconds>(now) +
                                   std::chrono::seconds(limit->second.block_seconds),
                          .why = finding.to_string()};
        ++counts_.blocks;
        if (auto blocked = settled(directory_, [&] { return directory_.block(block); }); !blocked) {
            warn(blocked.error().message());
        } else {
            warn(fmt::format("outgoing calls of user {} are blocked until {}", block.user,
                             to_timestamp(block.until)));
        }
    }
}

// Of a call that this Security Manager has not decided of, or that a restart has made it forget.
Calls::Counters Admission::counters_of(const Link::CallEvent& event) const {
    Calls::Counters counters;
    if (event.direction == STEM_OUTBOUND) {
        const Outgoing call = Limits::outgoing_of(directory_, event.caller, event.callee);
        for (const auto& [name, limit] : directory_.limits()) {
            if (limit.concurrent.any() && Limits::covers(limit, call, clock_())) {
                counters.push_back(Limits::counter(limit, call.user));
            }
        }
        return counters;
    }
    const Directory::Entry* entry = event.user.empty() ? nullptr : directory_.find_user(event.user);
    if (entry == nullptr) {
        const auto callee = AddressOfRecord::parse(event.callee);
        entry = callee ? directory_.find_callee(*callee) : nullptr;
    }
    if (entry != nullptr) {
        counters.push_back(user_counter(entry->user.name));
        if (!entry->user.profile.empty()) {
            counters.push_back(profile_counter(entry->user.profile));
        }
    }
    return counters;
}

void Admission::watch_duration(const Calls::Key& key, const Calls::Call& call) {
    if (call.event.direction != STEM_OUTBOUND || call.answered == TimePoint()) {
        return;
    }
    const Outgoing outgoing = Limits::outgoing_of(directory_, call.event.caller, call.event.callee);
    for (const auto& [name, limit] : directory_.limits()) {
        if (limit.duration.warning && Limits::covers(limit, outgoing, clock_())) {
            durations_.emplace(call.answered + std::chrono::seconds(*limit.duration.warning),
                               Watch{key, name, *limit.duration.warning});
        }
    }
}

void Admission::follow(const Link::CallEvent& event, const std::string& firewall) {
    using State = Link::CallEvent::State;
    const Calls::Key key(firewall, event.call);
    const auto* known = calls_.find(key);
    Link::CallEvent told = event;
    if (told.user.empty() && known != nullptr) {
        told.user = known->event.user;
    }
    record(audit::call_record(told, firewall));
    if (event.state == State::ended) {
        calls_.erase(key);
        if (Limits::is_to_come_again(event.cause)) {
            limits_.take_back(key);
        } else {
            limits_.settle(key);
        }
        return;
    }
    const bool was_answered = known != nullptr && known->answered != TimePoint();
    const auto& call = calls_.note(key, told, [&] { return counters_of(told); }, clock_());
    if (!was_answered) {
        watch_duration(key, call);
    }
}

void Admission::review(const std::vector<Link::CallEvent>& calls, bool first, bool last,
                       const std::string& firewall) {
    if (first) {
        calls_.begin_review(firewall);
    }
    for (const auto& event : calls) {
        const Calls::Key key(firewall, event.call);
        const auto* known = calls_.find(key);
        const bool was_answered = known != nullptr && known->answered != TimePoint();
        const auto& call = calls_.note(key, event, [&] { return counters_of(event); }, clock_());
        if (!was_answered) {
            watch_duration(key, call);
        }
    }
    if (last) {
        for (const auto& call : calls_.end_review(firewall)) {
            limits_.settle({firewall, call.event.call});
            end(call, firewall, "its firewall came back without it");
        }
    }
}

void Admission::end(const Calls::Call& call, const std::string& firewall, std::string cause) {
    ++counts_.calls_forgotten;
    Link::CallEvent event = call.event;
    event.state = Link::CallEvent::State::ended;
    event.at = clock_();
    event.cause = std::move(cause);
    record(audit::call_record(event, firewall));
}

void Admission::report(const Link::StreamEnd& end, const std::string& firewall) {
    record(audit::report_record(end, clock_(), firewall));
}

bool Admission::is_bound(std::string_view counter) const {
    const auto rest_behind = [&](std::string_view kind) {
        return counter.starts_with(kind) ? counter.substr(kind.size()) : std::string_view();
    };
    if (const auto user = rest_behind("user "); !user.empty()) {
        const auto* entry = directory_.find_user(user);
        return entry != nullptr && entry->user.max_calls != 0;
    }
    if (const auto name = rest_behind("profile "); !name.empty()) {
        const auto* profile = directory_.find_profile(name);
        return profile != nullptr && profile->max_calls != 0;
    }
    return true; // a limit's
}

void Admission::share_counts_as(std::string name, std::string own) {
    shared_name_ = std::move(name);
    own_name_ = std::move(own);
}

SharedCounts Admission::counts_to_share() const {
    return calls_.counts_by_firewall(own_name_, [&](std::string_view counter) { return is_bound(counter); });
}

void Admission::take_counts(std::vector<ToldCounts> others) {
    counts_of_others_ = std::move(others);
    weigh_counts();
}

void Admission::weigh_counts() {
    auto elsewhere = counted_elsewhere(counts_to_share(), counts_of_others_);
    for (const std::string& firewall : elsewhere.moved) {
        calls_.moved_away(firewall);
    }
    calls_.set_elsewhere(std::move(elsewhere.counts));
}

void Admission::share_counts(TimePoint now) {
    const auto told = directory_.exchange_call_counts(shared_name_, to_text(counts_to_share()));
    if (!told) { // the follower tells of a lost database
        std::erase_if(counts_of_others_,
                      [&](const ToldCounts& other) { return now - other.at > Store::counts_hold; });
        weigh_counts();
        return;
    }
    std::vector<ToldCounts> others;
    for (const auto& row : *told) {
        if (auto counts = shared_counts_from(row.counts)) {
            others.push_back({.counts = std::move(*counts), .at = now - row.age});
        } // else of a newer build: its calls count there alone
    }
    take_counts(std::move(others));
}

void Admission::share_usage() {
    std::optional<std::string> ours;
    if (database_ahead_ && limits_.has_changed()) {
        const auto usage = limits_.usage_to_share(directory_, clock_());
        if (usage_told_ || !usage.empty()) {
            ours = to_text(usage, *database_ahead_);
        }
    }
    const auto told = directory_.exchange_usage(shared_name_, ours, usage_read_);
    if (!told) { // as above
        return;
    }
    if (database_ahead_) {
        limits_.told();
        usage_told_ = usage_told_ || ours;
    }
    usage_read_ = told->clock;
    database_ahead_ = std::chrono::round<std::chrono::milliseconds>(told->clock - clock_());
    for (const auto& [manager, text] : told->others) {
        if (auto usage = shared_usage_from(text, *database_ahead_)) {
            limits_.take_usage(manager, std::move(*usage));
        } // else of a newer build
    }
}

// It tells us of its calls now, and so they do not count where it was before.
void Admission::came(const std::string& firewall) {
    calls_.came(firewall);
    if (!counts_of_others_.empty()) {
        weigh_counts();
    }
}

void Admission::tick() {
    const TimePoint now = clock_();
    if (!shared_name_.empty()) {
        share_counts(now);
        share_usage();
    }
    for (const auto& [key, call] : calls_.expire(now)) {
        limits_.settle(key);
        end(call, key.first, "its firewall stays away");
    }
    while (!durations_.empty() && durations_.begin()->first <= now) {
        const Watch watch = durations_.begin()->second;
        durations_.erase(durations_.begin());
        const auto* call = calls_.find(watch.call);
        if (call == nullptr) {
            continue;
        }
        ++counts_.limit_warnings;
        const auto& event = call->event;
        const Finding finding{.limit = watch.limit,
                              .user = Limits::outgoing_of(directory_, event.caller, event.callee).user,
                              .what = "duration",
                              .value = watch.seconds,
                              .level = watch.seconds};
        const Query query{.caller = event.caller,
                          .callee = event.callee,
                          .call_id = event.call_id,
                          .direction = event.direction,
                          .at = now,
                          .call = event.call};
        record(limit_record(finding, query, now, watch.call.first));
        warn(fmt::format("{}; call {} to {}", finding.to_string(), event.call_id, event.callee));
    }
    if (++ticks_ == seconds_per_minute) {
        ticks_ = 0;
        limits_.expire(now);
        std::erase_if(warned_, [&](const auto& item) { return now - item.second >= quiet; });
        std::vector<std::string> over;
        for (const auto& [user, block] : directory_.blocks()) {
            if (block.until <= now) {
                over.push_back(user);
            }
        }
        for (const std::string& user : over) {
            if (auto unblocked = settled(directory_, [&] { return directory_.unblock(user); }); !unblocked) {
                warn(unblocked.error().message());
            }
        }
    }
}

} // namespace stem::sm
