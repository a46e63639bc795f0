// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/decision_links.h"

#include <boost/asio/steady_timer.hpp>

namespace stem::stemd {
namespace {

struct Count {
    DecisionCounts& counts;

    void operator()(const sm::Accept& /*action*/) const { ++counts.accepted; }
    void operator()(const sm::Forward& /*action*/) const { ++counts.forwarded; }
    void operator()(const sm::Reject& /*action*/) const { ++counts.rejected; }
    void operator()(const sm::Challenge& /*action*/) const { ++counts.challenged; }
    void operator()(const sm::Drop& action) const { ++(action.spam ? counts.spam : counts.dropped); }
};

} // namespace

void CountingLink::decide(const sm::Query& query, std::function<void(sm::Decision)> done) {
    inner_.decide(query, [counts = counts_, done = std::move(done)](sm::Decision decision) {
        std::visit(Count{*counts}, decision.action);
        done(std::move(decision));
    });
}

void AuthenticatingLink::decide(const sm::Query& query, std::function<void(sm::Decision)> done) {
    authenticator_.decide(
        query,
        [this](const sm::Query& asked, auth::Authenticator::Done told) {
            inner_.decide(asked, std::move(told));
        },
        std::move(done), note_);
}

void DelayedLink::decide(const sm::Query& query, std::function<void(sm::Decision)> done) {
    if (delay_ == std::chrono::milliseconds(0)) {
        inner_.decide(query, std::move(done));
        return;
    }
    const auto timer = std::make_shared<boost::asio::steady_timer>(loop_, delay_);
    timer->async_wait([this, timer, query, done = std::move(done),
                       alive = std::weak_ptr(alive_)](boost::system::error_code error) mutable {
        if (!error && !alive.expired()) {
            inner_.decide(query, std::move(done));
        }
    });
}

} // namespace stem::stemd
