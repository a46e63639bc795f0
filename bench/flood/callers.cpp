// SPDX-License-Identifier: Apache-2.0
#include "flood/callers.h"

#include "flood/cpus.h"

#include "lab/sip_agent.h"

#include <fmt/format.h>

#include <thread>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto family = lab::Family::v4;
constexpr std::uint16_t sip_port = 5060;
constexpr auto probe_interval = 50ms;

// So that the subject knows the caller's address.
Result<> register_at(const Endpoint& proxy, const TimedSocket& socket, const std::string& user) {
    lab::SipRequest request;
    request.method = "REGISTER";
    request.uri = "sip:" + proxy.address.to_string();
    request.via = socket.local();
    request.branch = lab::unique_branch();
    request.from = request.to = lab::sip_uri(user, proxy.address);
    request.from_tag = lab::unique_token();
    request.call_id = lab::unique_token();
    request.headers.emplace_back("Expires: 3600");
    if (auto sent = socket.send(proxy, request.text()); !sent) {
        return std::unexpected(sent.error());
    }
    const auto answer = socket.receive_final("REGISTER");
    if (!answer || lab::status_of(answer->text) != 200) {
        return answer ? fail("register " + user, answer->text) : std::unexpected(answer.error());
    }
    return {};
}

} // namespace

Result<std::unique_ptr<Callers>> Callers::create(const Arena& arena) {
    auto path = path_of(arena.world());
    if (!path) {
        return std::unexpected(path.error());
    }
    std::unique_ptr<Callers> callers(new Callers(arena.world(), std::move(*path)));
    auto trunk =
        TimedSocket::open(arena.world().outside(),
                          {.address = arena.world().outside_address(trunk_host, family), .port = sip_port});
    if (!trunk) {
        return std::unexpected(trunk.error());
    }
    const Endpoint proxy{.address = arena.world().proxy(family), .port = sip_port};
    auto ready = register_at(proxy, *trunk, "trunk");
    if (ready) {
        ready = register_at(proxy, callers->path_.caller, "alice");
    }
    if (ready) {
        ready = callers->talks_.begin();
    }
    if (!ready) {
        return std::unexpected(ready.error());
    }
    return callers;
}

Result<CallCounts> Callers::carry(const CallLoad& load) {
    CallCounts counts;
    counts.due = static_cast<unsigned>(load.rate * static_cast<double>(load.time.count()));
    auto callee = lab::Sipp::start(
        world_->inside(),
        {.scenario = "uas",
         .local = {.address = world_->inside_address(demo::phone::carol, family), .port = sip_port},
         .calls = 0});
    if (!callee) {
        return std::unexpected(callee.error());
    }
    const KeepTo outside(Cpus::last);
    // A call takes half a second, and as long as the answer and the end of it may take.
    const auto limit = load.time + 2 * load.patience + 2s;
    auto caller =
        lab::Sipp::start(world_->outside(),
                         {.scenario = "uac",
                          .local = {.address = world_->outside_address(trunk_host, family), .port = sip_port},
                          .remote = Endpoint{.address = world_->proxy(family), .port = sip_port},
                          .user = "carol",
                          .caller = "trunk",
                          .calls = counts.due,
                          .rate = load.rate,
                          .talk = 500ms,
                          .limit = limit,
                          .patience = load.patience});
    if (!caller) {
        return std::unexpected(caller.error());
    }
    Probe probe(path_);
    const auto deadline = Clock::now() + limit + 2s;
    const auto last_probe = Clock::now() + load.time;
    for (auto due = Clock::now(); caller->process().running() && Clock::now() < deadline;) {
        if (Clock::now() < last_probe) {
            probe.call();
        }
        due = std::max(due + probe_interval, Clock::now());
        std::this_thread::sleep_until(due);
    }
    const auto carried = caller->stop();
    callee->stop();
    talks_.fall_silent();
    counts.created = carried.created;
    counts.completed = carried.successful;
    counts.complaints = caller->error_log().substr(0, 400);
    counts.probes = probe.calls();
    counts.delays = probe.delays();
    counts.attacked_loss = talks_.loss(0, 1);
    counts.loss = talks_.loss(1, Talks::count);
    return counts;
}

void Callers::hang_up() {
    talks_.hang_up();
}

} // namespace stem::bench
