// SPDX-License-Identifier: Apache-2.0
// What stem-smd does, without the transport: who may ask what, answers to requests, decisions for firewalls,
// and what is pushed to them. One event loop.
#pragma once

#include "sm/admission.h"
#include "sm/api.h"
#include "sm/auth/authenticator.h"
#include "sm/channel/bodies.h"
#include "sm/channel/channel.h"
#include "sm/channel/signed_snapshot.h"
#include "sm/directory.h"
#include "sm/server/audit.h"
#include "sm/server/config.h"
#include "sm/store_follower.h"
#include "sm/tls/credentials.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace stem::smd {

class FirewallSession;

// X(NAME, label, help): what becomes of connections and requests.
#define STEM_SMD_COUNTS(X)                                                                                   \
    X(accepted, "accepted", "connections taken in")                                                          \
    X(displaced, "displaced", "connections pushed out before their peer had shown a certificate")            \
    X(handshake_failed, "handshake_failed", "connections without a TLS 1.3 handshake that we believe")       \
    X(no_role, "no_role", "certificates of our authority without one role of ours")                          \
    X(too_many, "too_many", "connections closed because there were as many as are allowed")                  \
    X(revoked, "revoked", "connections closed because their certificate was revoked or ran out")             \
    X(requests, "requests", "requests answered")                                                             \
    X(forbidden, "forbidden", "requests refused with 403: not for the role of who asked")                    \
    X(logins, "logins", "administrators let in by their passwords")                                          \
    X(logins_refused, "logins_refused", "administrators not let in by a password")                           \
    X(malformed, "malformed", "requests that are no HTTP/1.1, or over a limit")                              \
    X(channels, "channels", "control channels begun")                                                        \
    X(decisions, "decisions", "queries of firewalls decided")                                                \
    X(bindings, "bindings", "bindings that firewalls have learned")                                          \
    X(reports, "reports", "streams that firewalls have ended for their excess")                              \
    X(calls, "calls", "what firewalls have told of calls that were let in")

struct Counts {
#define STEM_SMD_COUNT(name, label, help) std::uint64_t name = 0;
    STEM_SMD_COUNTS(STEM_SMD_COUNT)
#undef STEM_SMD_COUNT
};

// A signed snapshot, ready to be sent.
struct ReadySnapshot {
    channel::SnapshotHead head;
    std::shared_ptr<const std::string> content;
    std::vector<std::string_view> parts; // of the content
    std::string digest;
};

class Service {
  public:
    Service(const Config& config, std::unique_ptr<sm::Directory> directory,
            std::unique_ptr<sm::audit::Trail> trail, std::shared_ptr<tls::Credentials> credentials);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    struct Request {
        std::string_view method;
        std::string_view target;
        std::string_view body;
        std::string_view address = {}; // where it comes from
    };
    struct Reply {
        int status = 200;
        std::string body;
        std::string content_type = "application/json";
        std::string allow = {};
        bool ask_password = false; // of 401: WWW-Authenticate
    };
    // 403, counted and audited, where the role of `peer` does not let it ask that.
    Reply answer(const tls::Peer& peer, const Request& request);
    // The same of an administrator who came with a password.
    Reply answer_administrator(const pki::Identity& asker, const Request& request);
    // `done` is called once, at once or later, unless the authenticator is destroyed first.
    void log_in(const std::string& name, const std::string& password, const std::string& address,
                std::function<void(auth::Authenticator::Login)> done);
    // May this peer begin a control channel?
    bool may_begin_channel(const tls::Peer& peer);

    // Must outlive it, or be taken away again with null: who finds out who calls from inside.
    void set_authenticator(auth::Authenticator* authenticator) { authenticator_ = authenticator; }

    // `done` is called once, at once or later, unless the authenticator is destroyed first.
    void decide(const pki::Identity& firewall, const sm::Query& query,
                std::function<void(sm::Decision)> done);
    channel::Ack follow(const pki::Identity& firewall, const sm::Link::CallEvent& event);
    void review(const pki::Identity& firewall, const channel::Calls& calls);
    channel::Ack learn(const sm::Link::Binding& binding);
    channel::Ack report(const pki::Identity& firewall, const sm::Link::StreamEnd& end);
    [[nodiscard]] channel::ThresholdsPush thresholds_of(const std::string& firewall) const;
    // The newest; made anew when it is due. nullptr: it could not be made, and the log says why.
    std::shared_ptr<const ReadySnapshot> snapshot();

    void enter(FirewallSession& session);
    void greet(const FirewallSession& session); // its hello was taken
    void leave(FirewallSession& session);

    // Once a second.
    void tick();
    // Takes over what a running stem-smd can.
    void reload(const Config& config, std::shared_ptr<tls::Credentials> credentials);

    [[nodiscard]] const std::shared_ptr<tls::Credentials>& credentials() const { return credentials_; }
    void set_credentials(std::shared_ptr<tls::Credentials> credentials) {
        credentials_ = std::move(credentials);
    }
    [[nodiscard]] sm::Directory& directory() noexcept { return *directory_; }
    // For status and metrics; must outlive the last request.
    void show_store(const sm::StoreFollower& follower) { follower_ = &follower; }
    [[nodiscard]] const Config& config() const noexcept { return config_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] Counts& counts() noexcept { return counts_; }
    [[nodiscard]] channel::RefusalCounts& refusals() noexcept { return refusals_; }
    [[nodiscard]] Audit& audit() noexcept { return audit_; }
    [[nodiscard]] static std::chrono::system_clock::time_point now() {
        return std::chrono::system_clock::now();
    }

  private:
    Reply forbidden(const tls::Peer& peer, const Request& request);
    Reply announce(const pki::Identity& asker, const Request& request);
    Reply administer(const pki::Identity& asker, const Request& request);
    Reply of_firewalls(const pki::Identity& asker, const Request& request, std::string_view rest);
    Reply deny(const pki::Identity& asker, const Request& request, const std::string& firewall);
    [[nodiscard]] boost::json::object status() const;
    [[nodiscard]] boost::json::object firewalls() const;
    [[nodiscard]] boost::json::object describe_store() const;
    [[nodiscard]] std::string metrics() const;
    void push_thresholds();

    Config config_;
    std::unique_ptr<sm::Directory> directory_;
    std::unique_ptr<sm::audit::Trail> trail_;
    sm::Admission admission_;
    const sm::StoreFollower* follower_ = nullptr;
    auth::Authenticator* authenticator_ = nullptr;
    std::shared_ptr<tls::Credentials> credentials_;
    std::string name_; // as its certificate has it
    Counts counts_;
    channel::RefusalCounts refusals_{};
    Audit audit_;
    std::set<FirewallSession*> sessions_; // they keep themselves alive by their pending operations
    std::shared_ptr<const ReadySnapshot> snapshot_;
    std::chrono::steady_clock::time_point snapshot_due_;
    std::chrono::steady_clock::time_point started_;
    int seconds_ = 0;
};

struct ServiceFigures {
    const Counts& counts;
    const channel::RefusalCounts& refusals;
    const sm::AdmissionCounts& admission;
    const sm::audit::Trail::Counts& audit;
    std::size_t calls;
    const auth::Counts& authentication;
    std::size_t firewalls;
    double uptime_seconds;
    bool store_connected;
    std::size_t bindings_waiting;
    sm::StoreFollower::Counts store;
};
// Prometheus text format 0.0.4.
std::string describe_metrics(const ServiceFigures& figures, std::string_view name);

} // namespace stem::smd
