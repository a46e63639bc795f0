// SPDX-License-Identifier: Apache-2.0
// One SIP connection through STEM. Its two ends shake hands with each other; from then on stemd is the
// receiver of what each sends and the sender of what each gets, in the other's name. So what one end sends
// can be held, answered, changed or left out while the other's sequence numbers stay right, and an end can
// only get what was judged, in segments that stemd made.
//
// An end is named by the direction of what it sends: STEM_INBOUND is the one outside.
#pragma once

#include <ctl/frame/tcp.h>
#include <ctl/tcp/framer.h>
#include <ctl/tcp/options.h>
#include <ctl/tcp/places.h>
#include <ctl/tcp/reassembly.h>
#include <ctl/tcp/sender.h>
#include <ctl/tcp/settings.h>
#include <stem/abi/reason.h>
#include <stem/address.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stem::tcp {

// How frames of an end came in, and so how others go where these went.
struct Path {
    frame::LinkHeader link; // as it came: towards the other end
    bool direct = false;    // may leave by the other port with that (STEM_STEER_READY)
    std::uint8_t ttl = 64;
    std::uint8_t traffic_class = 0;
};

struct Segment {
    Seq sequence = 0;
    Seq acknowledgment = 0;
    std::uint8_t flags = 0; // frame::TcpFlag
    std::uint16_t window = 0;
    Options options;
    std::string_view payload;

    [[nodiscard]] bool has(std::uint8_t flag) const noexcept { return (flags & flag) != 0; }
    [[nodiscard]] bool is_syn() const noexcept { // the first of a connection
        return (flags & (frame::tcp_syn | frame::tcp_ack | frame::tcp_rst | frame::tcp_fin)) ==
               frame::tcp_syn;
    }
};

// A segment of our own, to an end.
struct Outgoing {
    stem_direction to = STEM_INBOUND; // the end, by the direction of what it sends
    Endpoint source;
    Endpoint destination;
    Segment segment;
    OptionOctets options;
    const Path* path = nullptr; // as the other end's frames came; nullptr: it has sent none
    const Path* back = nullptr; // as the end's own frames came; nullptr: it has sent none
};

class Wire {
  public:
    Wire() = default;
    virtual ~Wire() = default;
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;
    // A segment that cannot be sent is lost, as segments are.
    virtual void send(const Outgoing& outgoing) noexcept = 0;
};

struct Message {
    std::uint64_t connection = 0;
    stem_direction direction = STEM_INBOUND;
    Endpoint source; // as the outside end sees the two
    Endpoint destination;
    bool known = false; // by the known lane
    std::string text;
};

// Who judges the messages. Each has to be given back with Table::settle(), once.
class Reader {
  public:
    Reader() = default;
    virtual ~Reader() = default;
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    // How many nanoseconds the message has to wait for its budget; 0: none.
    virtual std::uint64_t delay(const Endpoint& source, std::string_view text, bool known,
                                std::uint64_t now_ns) noexcept = 0;
    virtual void read(Message message, std::uint64_t now_ns) noexcept = 0;
    // A connection is ended, with RST to both ends. `direction`: of the stream whose fault it is.
    virtual void ended(stem_direction direction, const Endpoint& source, const Endpoint& destination,
                       stem_reason reason, std::string_view what) noexcept = 0;
};

struct Counts {
    std::uint64_t opened = 0;  // both ends shook hands
    std::uint64_t resumed = 0; // taken over from a stemd before this one
    std::uint64_t closed = 0;  // by FIN of both ends, or RST of one
    std::uint64_t reset = 0;   // by us
    std::uint64_t refused = 0; // no room
    std::uint64_t segments_in = 0;
    std::uint64_t segments_out = 0;
    std::uint64_t repeated = 0; // of those, again
    std::uint64_t messages[STEM_DIRECTIONS] = {0, 0};
    std::uint64_t keep_alives = 0;
};

enum class Phase : std::uint8_t {
    opening,  // a SYN went by
    answered, // and a SYN-ACK
    open,
    resuming, // of an earlier stemd; asked the other end
    closed,   // both ends have closed; remembered for segments that are late
    reset,    // by us; answers what still comes with RST
    over,     // to be forgotten
};
std::string_view to_string(Phase phase) noexcept;

// What a source that nobody knows has of all: of IPv6 its /64.
struct Share {
    std::size_t connections = 0;
    std::size_t stored = 0; // octets
};

// What all connections share.
struct Context {
    Settings settings;
    Wire& wire;
    Reader& reader;
    Places& places;
    Counts counts;
    std::size_t stored = 0;         // octets, of all connections
    std::size_t stored_unknown = 0; // of these, of sources that nobody knows

    // Whether there is no room for more octets. `share`: of the source; nullptr: it is known. So who is not
    // known can neither take the room of those who are, nor all that is left to those who are not.
    [[nodiscard]] bool is_full(const Share* share) const noexcept {
        if (stored >= settings.total) {
            return true;
        }
        return share != nullptr && (stored_unknown >= settings.total - settings.total / 4 ||
                                    share->stored >= settings.total_per_source);
    }
};

struct End {
    Seq first = 0; // of its SYN
    std::uint16_t mss = 0;
    std::uint16_t first_window = 0; // of its SYN
    bool has_timestamps = false;
    std::uint32_t clock = 0; // its last timestamp
    std::optional<Path> path;
    std::optional<Reassembly> in; // what it sends
    std::optional<Framer> framer;
    std::optional<Sender> out; // what it is sent
    std::optional<Seq> fin;    // of its FIN
    bool fin_taken = false;
    bool ack_due = false;
    bool probed = false;                  // asks whether the other end lives
    std::uint64_t challenge_again_ns = 0; // not before this
    std::uint16_t advertised = 0;
    std::size_t held = 0; // octets of its messages that wait for a decision
    std::size_t held_messages = 0;
    std::uint64_t paused_until_ns = 0;  // its budget of messages is used up
    std::uint64_t message_since_ns = 0; // an unfinished message began; 0: none
    std::uint64_t gap_since_ns = 0;     // waits for what is missing; 0: nothing is
    Seq gap_at = 0;                     // which is this
    std::uint64_t messages = 0;
    std::uint64_t octets = 0;
    std::uint64_t discarded = 0; // octets of messages that did not go on
};

class Connection {
  public:
    // `inside`: whom the outside end talks to; `served_by`: who that is, where SIP is steered to a proxy.
    struct Ends {
        Endpoint outside;
        Endpoint inside;
        Endpoint served_by;
    };
    // `share`: of its source, which outlives it; nullptr: that is known.
    Connection(Context& context, std::uint64_t id, const Ends& ends, Share* share, std::uint64_t now_ns);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // The first segment: a SYN; or one of a connection that an earlier stemd had, and left at `earlier`.
    void begin(stem_direction from, const Segment& segment, const Path& path,
               const std::optional<Place>& earlier, std::uint64_t now_ns);
    // Gives what became of it: TCP_TAKEN, TCP_WINDOW, TCP_UNKNOWN.
    stem_reason receive(stem_direction from, const Segment& segment, const Path* path, std::uint64_t now_ns);
    // `octets` into the stream of `direction`. False: it is no longer there.
    bool write(stem_direction direction, std::string_view octets, std::uint64_t now_ns);
    // A message of `direction` has been judged. `went_on`: it was written.
    void settle(stem_direction direction, std::size_t octets, bool went_on, std::uint64_t now_ns);
    void tick(std::uint64_t now_ns);
    // RST to both ends.
    void fail(stem_direction direction, stem_reason reason, std::string_view what, std::uint64_t now_ns);

    [[nodiscard]] std::uint64_t deadline() const noexcept; // when tick() has something to do
    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    [[nodiscard]] const Ends& ends() const noexcept { return ends_; }
    [[nodiscard]] Phase phase() const noexcept { return phase_; }
    [[nodiscard]] stem_direction origin() const noexcept { return origin_; }
    [[nodiscard]] bool known() const noexcept { return share_ == nullptr; }
    void become_known() noexcept; // its source has become somebody
    [[nodiscard]] std::uint64_t since() const noexcept { return since_ns_; }
    [[nodiscard]] std::uint64_t heard() const noexcept { return heard_ns_; } // the last segment
    [[nodiscard]] const End& end(stem_direction of) const noexcept { return end_[of]; }
    [[nodiscard]] std::size_t stored() const noexcept;
    // Each end has all that the other sent, in the other's own numbers.
    [[nodiscard]] bool is_transparent() const noexcept;
    // The table's: when it looks again, and whether the connection is among those that go when there is no
    // room.
    std::uint64_t scheduled_ns = 0;
    bool transient_listed = false;

  private:
    // handshake.cpp
    stem_reason shake(stem_direction from, const Segment& segment, std::uint64_t now_ns);
    stem_reason shake_opening(stem_direction from, const Segment& segment, std::uint64_t now_ns);
    void note_syn(stem_direction from, const Segment& segment);
    void send_syn(stem_direction to);
    stem_reason shake_answered(stem_direction from, const Segment& segment, std::uint64_t now_ns);
    void refuse(stem_direction to, std::uint64_t now_ns);
    void establish(std::uint64_t now_ns);
    void make_streams(stem_direction from, Seq next_in, Seq next_out);
    void ask_to_resume();
    [[nodiscard]] bool ends_agree() const noexcept;
    stem_reason resume(stem_direction from, const Segment& segment, std::uint64_t now_ns);
    void take_over(std::uint64_t now_ns);
    void give_up_resuming(std::uint64_t now_ns);
    [[nodiscard]] Pair pair() const noexcept { return {.outside = ends_.outside, .inside = ends_.inside}; }

    // connection.cpp
    stem_reason receive_open(stem_direction from, const Segment& segment, std::uint64_t now_ns);
    stem_reason heed_reset(stem_direction from, const Segment& segment, std::uint64_t now_ns);
    void challenge(stem_direction from, std::uint64_t now_ns);
    [[nodiscard]] bool is_acceptable(stem_direction from, const Segment& segment) const noexcept;
    bool acknowledged(stem_direction from, const Segment& segment, std::uint64_t now_ns);
    void ask_whether_alive(stem_direction of);
    void close_when_done(std::uint64_t now_ns);
    void end_phase(Phase phase, std::uint64_t now_ns);

    // stream.cpp
    void take(stem_direction from, const Segment& segment, std::uint64_t now_ns);
    void read(stem_direction from, std::uint64_t now_ns);
    bool read_step(stem_direction from, std::uint64_t now_ns);
    void finish_stream(stem_direction from, std::uint64_t now_ns);
    void watch_progress(stem_direction from, std::uint64_t now_ns);
    void check_progress(stem_direction from, std::uint64_t now_ns);
    [[nodiscard]] std::uint64_t message_deadline(const End& end) const noexcept;
    [[nodiscard]] bool has_room_to_read(stem_direction from) const noexcept;

    // output.cpp
    void note_place();
    void flush(std::uint64_t now_ns);
    void flush_end(stem_direction to, std::uint64_t now_ns);
    [[nodiscard]] std::uint16_t window_for(stem_direction end) const noexcept;
    [[nodiscard]] Outgoing to(stem_direction end) const noexcept;
    void send_ack(stem_direction to);
    [[nodiscard]] bool use_timestamps() const noexcept {
        return end_[STEM_INBOUND].has_timestamps && end_[STEM_OUTBOUND].has_timestamps;
    }
    void send_reset(stem_direction to, Seq sequence);
    void send_reset_in_sequence(stem_direction to);
    void dispatch(const Outgoing& outgoing);
    void account() noexcept;
    void account(std::size_t octets) noexcept;

    Context& context_;
    std::uint64_t id_;
    Ends ends_;
    Share* share_; // nullptr: it is known
    Phase phase_ = Phase::opening;
    stem_direction origin_ = STEM_INBOUND;
    std::array<End, STEM_DIRECTIONS> end_;
    std::uint64_t since_ns_;
    std::uint64_t heard_ns_;
    std::uint64_t phase_ends_ns_ = 0; // of a phase that does not last; 0: it does
    std::size_t accounted_ = 0;       // what of Context::stored, and of our share, is ours
    bool reading_ = false;            // a reader may write() while it is given a message
    std::optional<Place> place_;      // as noted
    Place earlier_;                   // resuming: where an earlier stemd left it
    // Resuming: what the first end said last, and what the other did, without their payloads.
    Segment asked_;
    std::optional<Segment> answer_;
};

constexpr stem_direction other(stem_direction direction) noexcept {
    return direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND;
}

} // namespace stem::tcp
