// SPDX-License-Identifier: Apache-2.0
// The state behind Monitor. One file a concern: machine_invite.cpp (a call begins), machine_cancel.cpp,
// machine_ack.cpp, machine_dialog.cpp (requests inside it), machine_flow.cpp (do they come from where their
// leg signals?), machine_response.cpp, machine_answer.cpp (what a response means for its dialog),
// machine_media.cpp (offers, answers, pinholes), machine_unanswered.cpp (media that nobody answers),
// machine_watch.cpp (peers that are only monitored), machine_peer.cpp (who showed himself to be somebody),
// machine_notice.cpp (what the data plane tells of them), machine_follow.cpp (what the Security Manager is
// told of calls that it let in), machine_record.cpp (what survives stemd), machine_timer.cpp.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ctl/call/deadlines.h"
#include "ctl/call/leg_flow.h"
#include "ctl/call/monitor.h"
#include "ctl/call/pinholes.h"
#include "ctl/call/transactions.h"

namespace stem::call {

// An offer that came in a response, to a request without one; the ACK or PRACK answers it (RFC 3264 5).
struct ResponseOffer {
    stem_party by = STEM_CALLEE;
    std::vector<stem_media> media;
    std::uint32_t cseq = 0; // of the INVITE; 0 = not known (adopted)
};

// A provisional response that was sent reliably, and that a PRACK has to acknowledge (RFC 3262).
struct Reliable {
    std::uint32_t rseq = 0;
    std::uint32_t cseq = 0;
    stem_party asker = STEM_CALLER; // who sent the INVITE, and sends the PRACK
};

// The answer to a re-INVITE in a reliable provisional response: in force when its PRACK is answered.
struct Preview {
    std::uint32_t cseq = 0;
    stem_party offerer = STEM_CALLER;
    std::vector<stem_media> offer;
    std::vector<stem_media> answer;
};

struct Dialog {
    std::uint64_t id = 0;
    std::string tag = {}; // the callee's; "" until a response brings it
    stem_dialog_state state = STEM_DIALOG_CALLING;
    std::uint32_t cseq[STEM_PARTIES] = {0, 0}; // last request of each side; 0 = none
    std::vector<stem_media> media[STEM_PARTIES] = {};
    std::optional<ResponseOffer> response_offer = {};
    std::uint64_t answered_ns = 0;
    std::uint64_t ends_ns = 0; // its longest duration is over; 0 = not bound
    std::uint64_t changed_ns = 0;
    std::uint64_t heard_ns = 0;      // its last request
    std::uint64_t answer_due_ns = 0; // when its media must have been answered; 0 = not watched
    // Set by adopt(), until the side's next request: its last one may be repeated, and is not known here.
    bool may_repeat[STEM_PARTIES] = {false, false};
    bool adopted = false; // its reliable responses are not known
    // CSeq of each side's INVITEs: the last one, and the one before, whose ACK may be late. 0 = none.
    std::uint32_t last_invite[STEM_PARTIES] = {0, 0};
    std::uint32_t earlier_invite[STEM_PARTIES] = {0, 0};
    std::string pending_invite[STEM_PARTIES] = {}; // re-INVITE: key of its transaction; "" = none
    std::vector<std::string> offers = {}; // keys of transactions that carry one, oldest first; some are over
    std::vector<Reliable> reliable = {};
    std::optional<Preview> preview = {};
    std::uint32_t settled_invite = 0;  // CSeq of one whose offer in a response is answered
    std::uint32_t session_seconds = 0; // Session-Expires in force (RFC 4028); 0 = none
    std::uint64_t refreshed_ns = 0;
    bool session_watched = false; // a timer runs for it
    bool silence_watched = false; // and one for its silence
    std::string refer_to = {};    // the last REFER's
};

// A BYE from elsewhere than where its leg signals (docs/decisions/0017).
struct WaitingBye {
    Packet packet;
    sip::Message message;
    stem_party party = STEM_CALLER;
    std::uint64_t since_ns = 0;
};

// Where a REGISTER that was answered with 200 came from.
struct Registered {
    Endpoint source;
    std::uint64_t until_ns = 0;
};

enum class CallState : std::uint8_t {
    held,    // waits for the decision
    going,   // released
    refused, // we answered it; absorbs what belongs to it
    ignored, // dropped silently; absorbs what belongs to it
    failed,  // answered with 3xx to 6xx; an INVITE with a higher CSeq may follow
};

// An INVITE that waits: its bytes, and what was read of them.
struct Held {
    Packet packet;
    sip::Message message;
};

struct Call {
    std::uint64_t id = 0;
    std::string key;
    stem_direction direction = STEM_INBOUND;
    std::string call_id;
    std::string caller_tag;
    std::string caller; // URIs, for people
    std::string callee;
    CallState state = CallState::held;
    std::string branch; // of the INVITE in force
    // What the decision was made of: request URI, From and To. Nothing: adopted, and not known any more.
    std::optional<std::string> identity;
    std::string sent_by;               // of the INVITE's topmost Via
    std::string request_uri;           // of the same
    std::set<std::string> legs;        // branches: more than one when a proxy before us forked
    std::set<std::string> failed_legs; // those of them that were answered with 3xx to 6xx
    std::uint32_t cseq = 0;
    std::optional<Held> held;
    std::uint64_t serial = 0; // tells a late decision from the one that is waited for
    bool trying_sent = false;
    std::string refusal; // the response that we gave
    std::string target;  // request URI after a forward
    std::string why;
    std::string user;                     // whose profile decided; "" = none, or adopted
    std::chrono::seconds max_duration{0}; // from its answer on; 0 = not bound
    bool followed = false;                // the Security Manager waits to be told of its end
    std::string end_cause;                // of the dialog that ended last
    std::vector<Address> terminals;
    std::optional<std::vector<stem_media>> offer; // of the INVITE in force
    LegFlow leg[STEM_PARTIES];
    std::string address_of_record[STEM_PARTIES];
    bool watched = false;                        // went on undecided: its peer is only monitored
    std::uint64_t replaces = 0;                  // id of the dialog that it takes the place of
    std::uint64_t stream[STEM_PARTIES] = {0, 0}; // stem_stream_id() of each party's messages; 0 = not known
    bool challenged = false;                     // the last attempt was answered with 401 or 407
    bool answer_told = false;                    // to the observer, of the INVITE in force
    std::vector<Dialog> dialogs;
    std::uint64_t started_ns = 0;
    std::uint64_t ring_until_ns = 0;
    std::uint64_t dead_since_ns = 0; // 0 = alive
    std::uint64_t reserved = 0; // bytes per second that its offer announced, until its media are agreed on

    Dialog* dialog(std::string_view tag);
    [[nodiscard]] std::string own_tag() const; // To tag of what we answer ourselves
};

class Monitor::Machine {
  public:
    Machine(Settings settings, Egress& egress, FlowStore& flows, RecordStore& records, sm::Link& sm);

    void watch_with(Observer& observer) { observer_ = &observer; }
    std::size_t adopt(std::uint64_t now_ns);
    void receive(Packet packet, std::uint64_t now_ns);
    void tick(std::uint64_t now_ns);
    [[nodiscard]] std::vector<DialogInfo> dialogs() const;
    [[nodiscard]] Totals totals() const;
    bool drop(std::uint64_t dialog_id, std::uint64_t now_ns);
    void heed(const stem_notice& notice, std::uint64_t now_ns);
    void look_around(std::uint64_t now_ns);

  private:
    enum class Alarm : std::uint8_t {
        trying,
        decision,
        unheard,
        ringing,
        unacknowledged,
        session,
        suspected,
        silence,
        closing,
        forks,
        burial,
        answers,
        duration,
        cut
    };
    struct Timer {
        Alarm alarm;
        std::uint64_t call;
        std::uint64_t serial; // of a held INVITE, or the dialog's id
    };
    struct Place { // where a message belongs
        Call* call = nullptr;
        Dialog* dialog = nullptr;
        stem_party party = STEM_CALLER; // who sent the request
    };

    // Why a message is not let through.
    struct Objection {
        stem_reason reason;
        std::string what;
    };

    enum class Sdp : std::uint8_t { none, usable, malformed, refused };
    struct Described {
        Sdp sdp = Sdp::none;
        std::vector<stem_media> media;
        std::string what;
    };

    // machine.cpp
    void on_request(Packet packet, const sip::Message& message);
    void on_outside_request(Packet packet, const sip::Message& message);
    Place place_of(const sip::Message& message, stem_direction request_direction);
    Call* call_of(std::uint64_t id);
    void release(Packet packet, const sip::Message& message, const Call* call);
    bool make_room();
    Transaction* begin_transaction(const Packet& packet, const sip::Message& message, const Place& place);
    [[nodiscard]] std::optional<Objection> object_to_outgoing(const Packet& packet,
                                                              const sip::Message& message) const;
    Transaction* begin_outside(Packet& packet, const sip::Message& message);
    void on_repetition(Packet packet, const sip::Message& message, Transaction& first, const Call* call);
    void on_repetition_outside(Packet packet, const sip::Message& message, Transaction& first);

    // machine_invite.cpp
    using Calls = std::unordered_multimap<std::string, std::unique_ptr<Call>>;
    void on_invite(Packet packet, const sip::Message& message);
    void begin_call(Packet packet, const sip::Message& message, const std::string& key);
    void on_known_invite(Packet packet, const sip::Message& message, const std::vector<Call*>& kin);
    void on_new_branch(Packet packet, const sip::Message& message, const std::vector<Call*>& kin);
    void on_repeated_invite(Packet packet, const sip::Message& message, Call& call);
    bool join_as_leg(Packet& packet, const sip::Message& message, Call& call, const Described& session);
    void try_again(Packet packet, const sip::Message& message, Call& call);
    std::uint64_t replaced_by(const sip::Message& message);
    void hold(Packet packet, const sip::Message& message, Call& call);
    void ask(const Call& call, const sip::Message& message);
    Held take_held(Call& call);
    void decided(std::uint64_t call_id, std::uint64_t serial, const sm::Decision& decision);
    void let_go(Call& call, const std::string& target, std::vector<Address> terminals,
                const std::optional<Objection>& objection = {});
    void refuse(Call& call, int status, std::string_view phrase, stem_reason reason, std::string_view what,
                std::chrono::seconds retry_after = std::chrono::seconds(0),
                const std::vector<std::string>& challenges = {});
    void challenge(Call& call, const sm::Challenge& challenge, std::string_view why);

    // machine_cancel.cpp
    void on_cancel(Packet packet, const sip::Message& message);
    void cancel_held(Packet packet, const sip::Message& message, Call& call);

    // machine_ack.cpp
    void on_ack(Packet packet, const sip::Message& message);
    bool acknowledges_failure(const sip::Message& message, const Call& call) const;
    void acknowledge(Packet packet, const sip::Message& message, const Place& place);

    // machine_dialog.cpp
    void on_inside_request(Packet packet, const sip::Message& message);
    void on_request_of_no_dialog(Packet packet, const sip::Message& message, const Call* call);
    std::optional<Objection> object_to(const sip::Message& message, const Dialog& dialog, stem_party party);
    void take_in(Packet packet, const sip::Message& message, const Place& place);
    bool follows(const Dialog& dialog, stem_party party, std::uint32_t cseq) const;
    bool is_pending(const std::string& transaction_key);
    bool is_of_cut_dialog(const sip::Message& message) const;
    void presume_acknowledged(const Call& call, Dialog& dialog);

    // machine_flow.cpp
    [[nodiscard]] Origin origin_of(const Call& call, stem_party party, const Endpoint& source);
    [[nodiscard]] bool stand_for_one(const Address& a, const Address& b) const;
    [[nodiscard]] bool is_answerer(const Packet& packet, const Transaction& transaction, const Call* call);
    void learn_leg(Call& call, stem_party party, const Packet& packet, const sip::Message& message);
    void suspect_bye(Packet packet, const sip::Message& message, const Place& place);
    void judge_suspected(Call& call, Dialog& dialog);
    void let_byes_go(std::uint64_t dialog_id);
    void remember_registration(const Transaction& transaction, std::uint32_t lifetime_s);
    void forget_registrations();

    // machine_watch.cpp
    [[nodiscard]] bool is_only_monitored(const Packet& packet) const;
    void reject(Packet packet, const sip::Message* message, const Objection& objection);
    void absorb(Packet packet, std::string_view what);
    void watch_decision(const Call& call, const sm::Decision& decision);

    // machine_response.cpp
    void on_response(Packet packet, const sip::Message& message);
    std::optional<Objection> object_to(const Packet& packet, const sip::Message& message,
                                       const Transaction& transaction, Call* call);
    void follow_response(const Packet& packet, const sip::Message& message, Call& call,
                         Transaction& transaction, const Described& session);
    void learn_registration(const Packet& packet, const sip::Message& message,
                            const Transaction& transaction);

    // machine_answer.cpp
    void on_first_invite_response(const sip::Message& message, Call& call, Transaction& transaction);
    void on_answer(const sip::Message& message, Call& call, Transaction& transaction);
    void on_failure(const sip::Message& message, Call& call);
    void on_dialog_response(const sip::Message& message, Call& call, Dialog& dialog,
                            Transaction& transaction);
    Dialog& dialog_for(Call& call, const std::string& tag);
    void note_reliable(const sip::Message& message, Dialog& dialog, const Transaction& transaction);
    bool negotiate(const sip::Message& message, Call& call, Dialog& dialog, Transaction& transaction,
                   const std::vector<stem_media>& session);
    bool is_glare(const Call& call, Dialog& dialog, const std::string& own_key);
    void settle_preview(Call& call, Dialog& dialog, std::uint32_t cseq);
    void refresh_session(const sip::Message& message, Call& call, Dialog& dialog);

    // machine_media.cpp
    Described describe(const Packet& packet, const sip::Message& message, const Call* call, stem_party party);
    void agree(Call& call, Dialog& dialog, stem_party offerer, const std::vector<stem_media>& offer,
               const std::vector<stem_media>& answer);
    void keep_learned(const std::vector<stem_media> (&before)[STEM_PARTIES], Dialog& dialog);
    void open_media(const Call& call, const Dialog& dialog, std::uint64_t close_at_ns);
    static std::uint64_t stream_towards(const Call& call, unsigned direction);
    void learn_media(const Call& call, const Dialog& dialog);
    void answer_response_offer(Call& call, Dialog& dialog, const Described& answer);
    bool is_image(const Call& call, const Dialog& dialog) const;
    void end(Call& call, Dialog& dialog, std::uint64_t close_at_ns, std::string_view why);
    void cut(Call& call, Dialog& dialog, std::string_view why);
    void bury_when_over(Call& call);

    // machine_peer.cpp
    [[nodiscard]] std::uint64_t stream_of(const Packet& packet) const;
    [[nodiscard]] std::size_t room_for_calls(const Packet& packet) const;
    void tell_registered(const Packet& response, const Transaction& transaction, const sip::Contact& asked,
                         std::uint32_t lifetime_s);
    void tell_answer(Call& call, int status);
    void tell_up(const Call& call, const Dialog& dialog);
    // machine_notice.cpp
    bool has_room_for_media(const Call& call);
    void reserve(Call& call);
    void give_back(Call& call);
    std::pair<Call*, Dialog*> dialog_of(std::uint64_t id);
    bool learn(const Call& call, Dialog& dialog, const stem_flow_key& key);
    bool catch_up(const Call& call, Dialog& dialog);
    void learned(const stem_notice& notice);
    void ended(const stem_notice& notice);

    // machine_follow.cpp
    void tell(Call& call, sm::Link::CallEvent::State state, std::uint64_t since_ns = 0);
    void tell_end(Call& call);
    void tell_adopted();
    void bound_duration(const Call& call, Dialog& dialog);

    // machine_unanswered.cpp
    struct Exchange { // of one line, by sender
        std::uint64_t packets[STEM_PARTIES] = {0, 0};
        std::uint64_t open_since_ns[STEM_PARTIES] = {0, 0};
    };
    void watch_answers(const Call& call, Dialog& dialog, std::uint64_t since_ns);
    std::vector<Exchange> exchanges(const Call& call, const Dialog& dialog);
    std::optional<std::uint64_t> judge_answer(const Call& call, Dialog& dialog, std::size_t line,
                                              stem_party receiver, const Exchange& exchange);
    void check_answers(Call& call, Dialog& dialog);

    // machine_record.cpp
    void remember(const Call& call, const Dialog& dialog);
    void await_answer(Call& call);

    // machine_timer.cpp
    void set_timer(std::chrono::nanoseconds after, Alarm alarm, std::uint64_t call, std::uint64_t serial);
    void ring(const Timer& timer);
    void watch_silence(const Call& call, Dialog& dialog, std::chrono::nanoseconds after);
    void check_silence(Call& call, Dialog& dialog);
    void watch_session(Call& call, Dialog& dialog);
    void check_session(Call& call, Dialog& dialog);
    void ring_out(Call& call, const Timer& timer);
    void forget(Call& call);

    Settings settings_;
    Egress& egress_;
    FlowStore& flows_;
    RecordStore& records_;
    sm::Link& sm_;
    NoObserver nobody_;
    Observer* observer_ = &nobody_;
    Pinholes pinholes_;
    Transactions transactions_;
    // By key. More than one: legs that a proxy before us made of one INVITE, with request URIs of their own.
    Calls calls_;
    std::unordered_map<std::uint64_t, Call*> by_id_;
    std::set<std::pair<std::uint64_t, std::uint64_t>> lingering_; // over: since when, and the call's id
    // Dialogs that we ended and their parties did not; a BYE may still come. Key: cut_key(), value: until
    // when.
    std::unordered_map<std::string, std::uint64_t> cut_;
    std::unordered_map<std::uint64_t, std::vector<WaitingBye>> suspected_; // by the dialog's id
    std::size_t byes_waiting_ = 0;
    std::unordered_map<std::string, std::vector<Registered>> registered_; // by address of record
    std::size_t registrations_ = 0;
    std::uint64_t registrations_swept_ns_ = 0;
    Deadlines<Timer> timers_;
    std::uint64_t now_ns_ = 0;
    std::uint64_t next_id_;
    std::size_t held_ = 0;
    std::uint64_t reserved_ = 0; // of all calls
    Totals totals_;
    std::shared_ptr<bool> alive_ =
        std::make_shared<bool>(true); // a decision may come after the machine is gone
};

// Who a call is: direction of its first INVITE, Call-ID and the caller's tag.
std::string call_key(stem_direction direction, std::string_view call_id, std::string_view caller_tag);
stem_direction opposite(stem_direction direction);
stem_party other_party(stem_party party);
constexpr std::uint64_t ns_of(std::chrono::nanoseconds duration) {
    return static_cast<std::uint64_t>(duration.count());
}

} // namespace stem::call
