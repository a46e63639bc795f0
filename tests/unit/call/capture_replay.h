// SPDX-License-Identifier: Apache-2.0
// A capture played to the call monitor: its SIP messages are received, its RTP packets are let in or not, as
// the data plane would by what the monitor has written for it.
#pragma once

#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "capture_file.h"
#include "fakes.h"

namespace stem::call {

struct Counts {
    std::size_t calls = 0;   // distinct Call-IDs with an INVITE
    std::size_t dialogs = 0; // distinct Call-IDs and pairs of tags that a 2xx made
    std::size_t streams = 0; // of RTP that the signalling set up, by addresses and SSRC
    std::uint64_t packets = 0;

    bool operator==(const Counts&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Counts& counts);

// Who is on which side. What those of one side say to each other passes us by.
class Sides {
  public:
    // `outside`: addresses, and of hosts that are on both sides addresses with ports. "": of who sends the
    // first message. `swapped`: they are inside.
    Sides(std::string_view outside, bool swapped);

    void see(const Passing& one);
    [[nodiscard]] bool names(const Endpoint& end) const;
    // Nothing: it does not cross.
    [[nodiscard]] std::optional<stem_direction> of(const Passing& one) const;

  private:
    bool swapped_;
    std::set<Address> hosts_;
    std::set<Endpoint> ends_;
};

enum class Restarts : std::uint8_t { never, before_requests }; // of stemd

class CaptureReplay : public MonitorTest {
  protected:
    void replay(const CaptureFile& file, Sides sides, Restarts restarts);

    void expect_nothing_left();

    [[nodiscard]] Counts counted() const;
    // SIP and RTP that was dropped, and TCP streams that ended: "reason:number", in the labels' order.
    [[nodiscard]] std::string refused() const;
    [[nodiscard]] const std::string& refused_in_full() const { return told_; }

  private:
    using Stream = std::tuple<Endpoint, Endpoint, std::string>; // with its SSRC

    void signal(const Passing& one, stem_direction direction);
    void note_calls();
    void pass(const Passing& one, stem_direction direction);
    std::optional<stem_reason> judge(const stem_flow_key& key, const Passing& one);
    std::optional<bool> learn(const stem_flow_key& key, const Passing& one);
    void lock(stem_learning& entry, const stem_flow_key& key);
    void refuse(stem_reason reason, const Passing& one, const std::string& what = "");

    std::set<std::string> call_ids_;
    std::set<std::tuple<std::string, std::string, std::string>> dialogs_; // with their tags
    std::map<Stream, std::uint64_t> streams_;                             // packets let in
    std::map<std::string, int> refused_;
    std::string told_;
};

} // namespace stem::call
