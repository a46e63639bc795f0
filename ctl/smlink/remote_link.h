// SPDX-License-Identifier: Apache-2.0
// The way to a Security Manager over the control channel (docs/control-channel.md): one of several servers at
// a time, connected to again when it is lost, with what it must hear of kept until it has acknowledged it.
//
// A query waits at most Settings::hold, over as many connections as it takes: it changes nothing, so it may
// be asked again. What then becomes of it is Settings::on_loss.
#pragma once

#include "ctl/smlink/outbox.h"
#include "ctl/smlink/session.h"
#include "ctl/smlink/settings.h"
#include "ctl/smlink/snapshot_keeper.h"
#include "sm/decision.h"
#include <stem/backoff.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>

namespace stem::smlink {

// X(NAME, label, help)
#define STEM_LINK_COUNTS(X)                                                                                  \
    X(connects, "connects", "control channels begun")                                                        \
    X(connect_failures, "connect_failures", "attempts that came to none")                                    \
    X(losses, "losses", "control channels lost")                                                             \
    X(queries, "queries", "decisions asked for")                                                             \
    X(answered, "answered", "of which a Security Manager answered")                                          \
    X(repeated, "repeated", "queries asked again, on another connection")                                    \
    X(timeouts, "timeouts", "connections given up because a query was not answered in time")                 \
    X(refused, "refused", "queries that a Security Manager refused as messages")                             \
    X(by_snapshot, "by_snapshot", "calls decided by the snapshot, for want of a Security Manager")           \
    X(unavailable, "unavailable", "calls refused with 503, for want of a Security Manager")                  \
    X(acknowledged, "acknowledged", "bindings, reports and calls taken in by a Security Manager")            \
    X(not_taken, "not_taken", "bindings, reports and calls that it could not take in")                       \
    X(snapshots, "snapshots", "snapshots taken over")                                                        \
    X(snapshots_refused, "snapshots_refused", "snapshots not believed")                                      \
    X(denials, "denials", "deny instructions carried out")

struct Counts {
#define STEM_LINK_COUNT(name, label, help) std::uint64_t name = 0;
    STEM_LINK_COUNTS(STEM_LINK_COUNT)
#undef STEM_LINK_COUNT
};

struct Status {
    bool connected = false;
    std::string server;  // that it is connected with, or tries
    std::string manager; // name of the Security Manager there
    std::string failure; // why the last connection ended or came to none; "" = none did
    std::chrono::system_clock::time_point since; // of this state
    std::int64_t thresholds_version = -1;
    std::size_t waiting = 0; // queries
    std::size_t outbox = 0;
    std::uint64_t outbox_lost = 0;
    std::optional<std::chrono::system_clock::time_point> snapshot; // made when
    bool snapshot_usable = false;
};

class RemoteLink final : public sm::Link, private SessionOwner {
  public:
    // What the Security Manager instructs; a failure is told to it.
    struct Instructed {
        std::function<Result<>(const channel::ThresholdsPush&)> thresholds;
        std::function<Result<>(const channel::DenyInstruction&)> deny;
    };

    // Of what is kept until it is acknowledged: so much is on its way at a time. All that an outage has left
    // would be more than a connection may have waiting.
    static constexpr std::size_t most_posted = 1000;

    // Connects from now on. `loop` must outlive it.
    RemoteLink(boost::asio::io_context& loop, Settings settings,
               std::shared_ptr<tls::Credentials> credentials, Instructed instructed);
    ~RemoteLink() override;

    void decide(const sm::Query& query, std::function<void(sm::Decision)> done) override;
    void learn(const Binding& binding) override;
    void report(const StreamEnd& end) override;
    // The end of a call is kept until it is acknowledged. What goes on need not be: all calls in progress are
    // told when a connection begins.
    void follow(const CallEvent& event) override;

    // For connections from now on; one whose server is not believed any more ends.
    void set_credentials(std::shared_ptr<tls::Credentials> credentials);

    [[nodiscard]] Status status() const;
    [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
    [[nodiscard]] const channel::RefusalCounts& refusals() const noexcept { return refusals_; }
    [[nodiscard]] const Settings& settings() const noexcept { return settings_; }

  private:
    using Steady = std::chrono::steady_clock;
    struct Waiting {
        sm::Query query;
        std::function<void(sm::Decision)> done;
        Steady::time_point deadline;
        Steady::time_point asked; // of the newest message
        std::string id;           // "" = not asked on this connection
        bool repeated = false;
    };

    void on_ready(const channel::Hello& hello) override;
    void on_message(const channel::Envelope& message) override;
    void on_end(const std::string& why) override;
    void on_decision(const channel::Envelope& message);
    void on_refused(const channel::Envelope& message);
    void on_ack(const channel::Envelope& message);
    void on_thresholds(const channel::Envelope& message);
    void on_deny(const channel::Envelope& message);
    void on_snapshot(const channel::Envelope& message);
    void on_snapshot_part(const channel::Envelope& message);
    void end_snapshot(const channel::Envelope& message, const Result<bool>& taken);

    void connect();
    void connect_later();
    void wait_for_tick();
    void tick();
    void look_at_list();
    void ask(Waiting& waiting);
    void post_later(Outbox::Ticket ticket);
    void post_backlog();
    void post(Outbox::Ticket ticket);
    void post_calls();
    // Without a Security Manager: by the snapshot, if that is the policy and it can; else nothing happens.
    bool settle_by_snapshot(std::uint64_t key);
    void settle_unavailable(std::uint64_t key, const std::string& why);
    void settle(std::uint64_t key, sm::Decision decision);
    void acknowledge(const channel::Envelope& message, const Result<>& done);
    [[nodiscard]] bool connected() const { return session_ && session_->ready(); }

    boost::asio::io_context& loop_;
    Settings settings_;
    std::shared_ptr<tls::Credentials> credentials_;
    Instructed instructed_;
    tls::FileWatch watch_;
    Counts counts_;
    channel::RefusalCounts refusals_{};
    std::unique_ptr<Session> session_;
    boost::asio::steady_timer retry_;
    boost::asio::steady_timer tick_;
    Backoff backoff_;
    std::mt19937 random_;
    std::size_t server_ = 0;
    std::size_t tried_ = 0; // servers, since one was connected with
    std::uint64_t next_key_ = 0;
    std::map<std::uint64_t, Waiting> waiting_; // in the order of asking, which is that of deadlines
    std::map<std::string, std::uint64_t> by_id_;
    Outbox outbox_;
    std::deque<Outbox::Ticket> backlog_;           // to be posted on this connection
    std::map<std::string, Outbox::Ticket> posted_; // 0: nothing is kept of it
    std::set<std::string> posted_calls_;           // ids of the parts of all calls in progress
    bool calls_due_ = false;                       // they are to be told once more
    std::map<std::string, CallEvent> calls_;       // in progress
    SnapshotKeeper snapshot_;
    std::string failed_snapshot_; // its id
    std::int64_t thresholds_version_ = -1;
    std::size_t thresholds_from_ = 0; // server
    std::string manager_;
    std::string failure_;
    std::chrono::system_clock::time_point since_;
    Steady::time_point ready_; // the connection of now, or the last
    Steady::time_point pinged_;
    int ticks_ = 0;
};

} // namespace stem::smlink
