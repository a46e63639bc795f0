// SPDX-License-Identifier: Apache-2.0
// The call monitor: follows every call by its dialogs (Call-ID, From tag, To tag), never by its 5-tuple;
// holds an INVITE until the Security Manager has decided; opens and closes pinholes; drops what breaks the
// protocol.
//
// One thread. Time comes in with every call (nanoseconds of CLOCK_MONOTONIC), so tests own the clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ctl/call/observer.h"
#include "ctl/call/packet.h"
#include "ctl/call/settings.h"
#include "ctl/call/stores.h"
#include "sm/decision.h"

namespace stem::call {

struct MediaInfo {
    stem_flow_key key;
    stem_flow flow;
};

struct DialogInfo {
    std::uint64_t id = 0;
    std::string state; // "held", "calling", "early", "answered", "up", "closing", "refused", "dead"
    stem_direction direction = STEM_INBOUND;
    std::string caller; // From URI
    std::string callee; // To URI
    std::string target; // request URI after a forward decision, else ""
    std::string call_id;
    std::string decision;       // why it was let in, in the Security Manager's words
    std::string refer_to;       // where one of its parties was last referred to (RFC 3515), else ""
    std::uint64_t replaces = 0; // id of the dialog that its INVITE takes the place of (RFC 3891); 0 = none
    std::uint64_t started_ns = 0;
    std::uint64_t answered_ns = 0; // 0 = not yet
    std::vector<MediaInfo> media;
};

struct Totals {
    std::uint64_t calls_seen = 0;
    std::uint64_t calls_answered = 0;
    std::uint64_t calls_refused = 0;    // by a decision
    std::uint64_t calls_challenged = 0; // INVITEs answered with 407, by a decision
    std::uint64_t calls_silent = 0;     // ended because their media stopped
    std::uint64_t calls_expired = 0;    // ended because nobody refreshed their session (RFC 4028)
    std::uint64_t byes_suspected = 0;   // made to wait: not from where their leg signals
    std::uint64_t byes_refused = 0;     // of those: their leg's media went on
    std::uint64_t byes_early = 0;       // of the callee's, before the ACK
    std::uint64_t peers_moved = 0;      // legs that went on signalling from another address or port
    std::uint64_t would_drop = 0;       // messages of peers that are only monitored
    std::uint64_t calls_over_total = 0; // refused: more media than the firewall may carry
    std::uint64_t streams_lowered = 0;  // by the data plane, for their excess
    std::uint64_t streams_ended = 0;
    std::uint64_t peers_learned = 0;                   // RTP and RTCP ports behind NAT
    std::uint64_t announced[STEM_DIRECTIONS] = {0, 0}; // bytes per second that open pinholes may carry
    std::uint64_t pinholes_opened = 0;
    std::uint64_t pinholes_closed = 0;
    std::size_t calls = 0; // now, without lingering ones
    std::size_t held = 0;
    std::size_t byes_waiting = 0;
    std::size_t transactions = 0;
    std::size_t pinholes = 0;
};

class Monitor {
  public:
    Monitor(Settings settings, Egress& egress, FlowStore& flows, RecordStore& records, sm::Link& sm);
    ~Monitor();
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    // Who is told of peers that showed themselves to be somebody; must outlive the monitor. Before adopt().
    void watch_with(Observer& observer);

    // Takes over what an earlier stemd left in the maps: calls go on, orphaned pinholes close.
    // Gives the number of dialogs adopted. Before the first receive().
    std::size_t adopt(std::uint64_t now_ns);

    void receive(Packet packet, std::uint64_t now_ns);
    // Runs what is due. Call it every 20 ms or so; a late call delays timers and loses nothing.
    void tick(std::uint64_t now_ns);

    [[nodiscard]] std::vector<DialogInfo> dialogs() const;
    [[nodiscard]] Totals totals() const;
    // Closes a call's pinholes and forgets it, but for its BYE. False: no such dialog.
    bool drop(std::uint64_t dialog_id, std::uint64_t now_ns);

    // What the data plane says of a stream: a peer was learned, a stream lowered or ended.
    void heed(const stem_notice& notice, std::uint64_t now_ns);
    // Finds in the maps what notices would have said, where some were lost.
    void look_around(std::uint64_t now_ns);

  private:
    class Machine;
    std::unique_ptr<Machine> machine_;
};

} // namespace stem::call
