// SPDX-License-Identifier: Apache-2.0
// The table: every key that stemd's configuration knows.
#include <algorithm>
#include <array>

#include "ctl/config/parameter.h"
#include "ctl/parser/parsers.h"
#include "lib/settings/fields.h"
#include "sm/auth/parameters.h"

namespace stem::config {
namespace {

using settings::choice;
using settings::integer;
using settings::is_absolute_path_or_empty;
using settings::networks;
using settings::text;
using settings::text_list;

// sun_path has 108 octets, the last of them NUL.
bool is_socket_path_or_empty(std::string_view value) {
    return is_absolute_path_or_empty(value) && value.size() < 108;
}

bool is_absolute_path(std::string_view value) {
    return !value.empty() && is_absolute_path_or_empty(value);
}

// A name or address, in brackets where it is IPv6, and a port.
// What of it libpq does not take, or what must not stand there, sm/store_address.h says when it is opened.
bool is_database_or_empty(std::string_view value) {
    return is_absolute_path_or_empty(value) || value.starts_with("postgresql://");
}

bool is_server(std::string_view value) {
    const auto colon = value.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || value.size() > 300) {
        return false;
    }
    const std::string_view host = value.substr(0, colon);
    const std::string_view port = value.substr(colon + 1);
    const bool bracketed = host.front() == '[' && host.back() == ']';
    const bool good_host = bracketed
                               ? Address::parse(host.substr(1, host.size() - 2)).has_value()
                               : host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                        "0123456789.-") == std::string_view::npos;
    const bool digits =
        !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string_view::npos;
    return good_host && digits && std::stoul(std::string(port)) - 1 < 65535;
}

bool is_mode(std::string_view value) {
    return (value.size() == 3 || (value.size() == 4 && value.front() == '0')) &&
           std::ranges::all_of(value, [](char digit) { return digit >= '0' && digit <= '7'; });
}

// RFC 3261 25.1: token.
bool is_method(std::string_view value) {
    constexpr std::string_view marks = "-.!%*_+`'~";
    return !value.empty() && value.size() <= 32 && std::ranges::all_of(value, [&](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               marks.find(c) != std::string_view::npos;
    });
}

// Those of calls are looked at with their call.
bool is_method_of_no_call(std::string_view value) {
    constexpr std::array<std::string_view, 7> of_calls = {"INVITE", "ACK",    "BYE", "CANCEL",
                                                          "PRACK",  "UPDATE", "INFO"};
    return is_method(value) && std::ranges::find(of_calls, value) == of_calls.end();
}

bool is_parser(std::string_view value) {
    return std::ranges::find(parser::known_parsers(), value) != parser::known_parsers().end();
}

bool is_port(std::string_view value) {
    return !value.empty() && value.size() <= 5 && value.front() != '0' &&
           std::ranges::all_of(value, [](char digit) { return digit >= '0' && digit <= '9'; }) &&
           std::stoul(std::string(value)) <= 65535;
}

constexpr std::array<std::string_view, 3> accept_reject_drop{"accept", "reject", "drop"};
constexpr std::array<std::string_view, 2> accept_reject{"accept", "reject"};
constexpr std::array<std::string_view, 3> accept_reject_challenge{"accept", "reject", "challenge"};
constexpr std::array<std::string_view, 3> never_auto_always{"never", "auto", "always"};
constexpr std::array<std::string_view, 2> allow_refuse{"allow", "refuse"};
constexpr std::array<std::string_view, 2> no_yes{"no", "yes"};
constexpr std::array<std::string_view, 2> embedded_remote{"embedded", "remote"};
constexpr std::array<std::string_view, 2> hold_cache{"hold", "cache"};
constexpr std::array<std::string_view, 4> log_levels{"debug", "info", "warn", "error"};

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::array section_table{
    Section{"sip", "What is let through at all."},
    Section{"sip.limits",
            "Caps on a SIP message, checked before it is parsed. What is above one is dropped as "
            "`sip_over_limit`."},
    Section{"sdp.limits", "Caps on a session description. What is above one is dropped as `sdp_malformed`."},
    Section{"tcp", "SIP over TCP (docs/tcp.md)."},
    Section{"calls", "How many calls are followed, and for how long."},
    Section{"media", "Where media may flow, and when a pinhole closes."},
    Section{"sm", "The Security Manager: inside stemd, or a service of its own (docs/security-manager.md)."},
    Section{"audit", "The audit trail of a Security Manager inside stemd (docs/audit.md)."},
    auth::section,
    Section{"peers", "Who is known, and goes first when others flood (docs/flood.md)."},
    Section{"frames", "Memory for the packets that the data plane gives to stemd."},
    Section{"fragments",
            "IP fragments of SIP over UDP: what is held until a datagram is whole. What is above one is "
            "dropped as `fragment`."},
    Section{"parsers", "Which protocols are followed. Their drops count under the same reasons as SIP's."},
    Section{"log", "The log goes to the standard error output."},
    Section{"api", "HTTP over a unix socket, for stemctl, curl and Prometheus."},
};

const std::array parameter_table{
    Parameter{"sip", "refused_methods",
              text_list<STEM_FIELD(call.refused_methods)>("a SIP method, such as \"REFER\"", is_method),
              "Requests with these methods are dropped as `sip_method`. Methods are case-sensitive."},
    Parameter{"sip", "refused_outgoing",
              text_list<STEM_FIELD(call.refused_outgoing)>(
                  "a SIP method that belongs to no call, such as \"MESSAGE\"", is_method_of_no_call),
              "The same, of requests from inside that belong to no call. Calls are the Security Manager's to "
              "let out ([sm] outgoing)."},
    Parameter{"sip", "outgoing_hosts", networks<STEM_FIELD(call.outgoing_hosts)>(),
              "Hosts inside that may send those: the proxy, the registrar."},

    Parameter{"sip.limits", "message", integer<STEM_FIELD(call.sip.message)>("octets", 256, 65507),
              "A whole message. An AF_XDP frame holds 3,840 octets with all its headers."},
    Parameter{"sip.limits", "start_line", integer<STEM_FIELD(call.sip.start_line)>("octets", 32, 8192),
              "Request line or status line."},
    Parameter{"sip.limits", "header_line", integer<STEM_FIELD(call.sip.header_line)>("octets", 64, 8192),
              "One header, its folded lines counted together."},
    Parameter{"sip.limits", "headers", integer<STEM_FIELD(call.sip.headers)>("", 6, 1024),
              "Header lines of a message."},
    Parameter{"sip.limits", "values_per_header", integer<STEM_FIELD(call.sip.values_per_header)>("", 1, 256),
              "Comma-separated values of one header other than Via, Route, Record-Route and Contact."},
    Parameter{"sip.limits", "hops", integer<STEM_FIELD(call.sip.hops)>("", 1, 256),
              "Values of Via, Route and Record-Route; and of one Contact header."},
    Parameter{"sip.limits", "values", integer<STEM_FIELD(call.sip.values)>("", 1, 1024),
              "Values of all headers together."},
    Parameter{"sip.limits", "parameters_per_value",
              integer<STEM_FIELD(call.sip.parameters_per_value)>("", 1, 256), "Parameters of one value."},
    Parameter{"sip.limits", "parameters", integer<STEM_FIELD(call.sip.parameters)>("", 1, 4096),
              "Parameters of all values together."},
    Parameter{"sip.limits", "body", integer<STEM_FIELD(call.sip.body)>("octets", 0, 65507), "The body."},
    Parameter{
        "sip.limits", "parts", integer<STEM_FIELD(call.sip.parts)>("", 1, 64),
        "Parts of a body of several (multipart), nested ones too. A session description behind them is not "
        "read, and the message is treated as one whose description cannot be."},
    Parameter{"sip.limits", "identifier",
              integer<STEM_FIELD(call.sip.identifier)>("octets", 16, STEM_CALL_ID_MAX - 1),
              "Call-ID; tags and branches have half of it."},

    Parameter{
        "tcp", "max_connections", integer<STEM_FIELD(tcp.max_connections)>("", 16, 1048576),
        "Connections at once, those included that are only begun and those that ended a moment ago. One "
        "more is dropped as `tcp_limit`. The last quarter is not for sources that nobody knows."},
    Parameter{"tcp", "max_per_source", integer<STEM_FIELD(tcp.max_per_source)>("", 1, 1048576),
              "Connections of one source that nobody knows: an IPv4 address, or an IPv6 /64."},
    Parameter{
        "tcp", "buffer", integer<STEM_FIELD(tcp.buffer)>("octets", 16384, 1048576),
        "Of one direction of a connection: what has come and is no whole message yet, and what the other "
        "end has not taken. When it is full the sender's window closes."},
    Parameter{"tcp", "held", integer<STEM_FIELD(tcp.held)>("octets", 8192, 16777216),
              "Of one direction of a connection: messages that wait for a decision. When there are more the "
              "sender's window closes."},
    Parameter{
        "tcp", "total", integer<STEM_FIELD(tcp.total)>("octets", 1048576, 17179869184),
        "The same of all connections together. At this no new one is let in, and all windows close. The "
        "last quarter is not for sources that nobody knows."},
    Parameter{"tcp", "total_per_source",
              integer<STEM_FIELD(tcp.total_per_source)>("octets", 65536, 17179869184),
              "The same of one source that nobody knows: an IPv4 address, or an IPv6 /64."},
    Parameter{"tcp", "handshake_seconds", integer<STEM_FIELD(tcp.handshake_timeout), seconds>("s", 1, 300),
              "For a connection to come about."},
    Parameter{
        "tcp", "message_seconds", integer<STEM_FIELD(tcp.message_timeout), seconds>("s", 1, 300),
        "For the headers of a message to come, from its first octet on; and for octets that are missing. "
        "Then the connection is reset as `tcp_slow`."},
    Parameter{"tcp", "least_rate", integer<STEM_FIELD(tcp.least_rate)>("octets/s", 1, 1000000),
              "A message has `message_seconds` and as much more as its octets take at this rate. An end that "
              "takes what is for it more slowly is stalled (`unacknowledged_seconds`)."},
    Parameter{
        "tcp", "unacknowledged_seconds", integer<STEM_FIELD(tcp.unacknowledged), seconds>("s", 10, 3600),
        "An end that takes nothing of what is for it for so long, or falls so far behind `least_rate`, has "
        "its connection reset as `tcp_unacknowledged`."},
    Parameter{"tcp", "idle_seconds", integer<STEM_FIELD(tcp.idle), seconds>("s", 60, 604800),
              "A connection that is silent for so long is reset as `tcp_idle` (RFC 5382, REQ-5)."},
    Parameter{"tcp", "linger_seconds", integer<STEM_FIELD(tcp.linger), seconds>("s", 1, 600),
              "A connection that is over is remembered, to answer what comes late."},

    Parameter{"sdp.limits", "body", integer<STEM_FIELD(call.sdp.body)>("octets", 64, 65507),
              "The description."},
    Parameter{"sdp.limits", "lines", integer<STEM_FIELD(call.sdp.lines)>("", 8, 4096), "Its lines."},
    Parameter{"sdp.limits", "line", integer<STEM_FIELD(call.sdp.line)>("octets", 64, 8192), "One line."},
    Parameter{"sdp.limits", "media", integer<STEM_FIELD(call.sdp.media)>("", 1, 64), "Its m= lines."},
    Parameter{"sdp.limits", "formats", integer<STEM_FIELD(call.sdp.formats)>("", 1, 128),
              "Payload types of one m= line."},
    Parameter{
        "sdp.limits", "candidates", integer<STEM_FIELD(call.sdp.candidates)>("", 0, STEM_CANDIDATES_MAX),
        "ICE candidates of one m= line that pinholes are opened for, those preferred by the peer first. 0: "
        "ICE gets no pinholes of its own."},

    Parameter{"calls", "max_calls", integer<STEM_FIELD(call.max_calls)>("", 1, 1048576),
              "Calls followed at once, those that ended a moment ago too. One more is dropped as "
              "`call_limit`."},
    Parameter{"calls", "max_held", integer<STEM_FIELD(call.max_held)>("", 1, 65536),
              "INVITEs held at once while their decision is made. One more is dropped as `hold_limit`. Each "
              "has a frame of [frames] chunks."},
    Parameter{"calls", "max_transactions", integer<STEM_FIELD(call.max_transactions)>("", 16, 4194304),
              "Requests that wait for responses."},
    Parameter{"calls", "trying_after_ms",
              integer<STEM_FIELD(call.trying_after), milliseconds>("ms", 0, 30000),
              "The caller is told 100 Trying when the decision takes longer (RFC 3261 17.2.1 wants it within "
              "200 ms)."},
    Parameter{"calls", "linger_seconds", integer<STEM_FIELD(call.linger), seconds>("s", 1, 600),
              "An ended call is remembered this long, to absorb retransmissions (RFC 3261: 64*T1 = 32 s)."},
    Parameter{"calls", "ring_seconds", integer<STEM_FIELD(call.ring_timeout), seconds>("s", 10, 3600),
              "A call that rings is given up after this time; each provisional response starts it anew (RFC "
              "3261 16.6, Timer C)."},

    Parameter{"calls", "idle_seconds", integer<STEM_FIELD(call.idle), seconds>("s", 60, 604800),
              "A call on hold, or without media, is over when neither media, RTCP nor requests came for this "
              "long."},
    Parameter{
        "calls", "clusters", networks<STEM_FIELD(call.clusters)>(),
        "Networks whose hosts signal for one another: a carrier's or an exchange's machines, of which one "
        "may end what another began. Those of [peers] trunks count too."},
    Parameter{"calls", "bye_quiet_ms", integer<STEM_FIELD(call.bye_quiet), milliseconds>("ms", 100, 30000),
              "A BYE from elsewhere than its leg signals from waits until no media came from that leg for so "
              "long; while they go on it is dropped as `sip_flow` (docs/calls.md)."},
    Parameter{
        "calls", "monitor_only", choice<STEM_FIELD(call.monitor_only)>(no_yes),
        "Nothing of calls is dropped, held, answered or rewritten; what would have been is reported, and "
        "media pass without a pinhole (docs/calls.md)."},
    Parameter{"calls", "monitored_peers", networks<STEM_FIELD(call.monitored_peers)>(),
              "The same for calls with these hosts outside alone."},

    Parameter{"media", "silence_seconds", integer<STEM_FIELD(call.silence), seconds>("s", 5, 86400),
              "A call of which no media came for this long, in neither direction, is over; calls on hold are "
              "not counted."},
    Parameter{"media", "relays", networks<STEM_FIELD(call.media_relays)>(),
              "Hosts that may carry anybody's media: rtpengine, a session border controller."},
    Parameter{"media", "forbidden", networks<STEM_FIELD(call.forbidden_media)>(),
              "No pinhole opens to these, nor ever to loopback, link-local and multicast addresses, nor to "
              "those of this "
              "host itself."},
    Parameter{"media", "close_grace_ms", integer<STEM_FIELD(call.close_grace), milliseconds>("ms", 0, 10000),
              "Media flow on for this long after the 200 to a BYE."},
    Parameter{"media", "change_grace_ms",
              integer<STEM_FIELD(call.change_grace), milliseconds>("ms", 0, 60000),
              "The old media flow on for this long after a re-INVITE changed them."},
    Parameter{
        "media", "elsewhere", choice<STEM_FIELD(call.elsewhere)>(allow_refuse),
        "May the media of a peer outside be on another host than its signalling comes from? refuse: only at "
        "[media] relays, or where they are learned ([media] nat)."},
    Parameter{
        "media", "unanswered_seconds", integer<STEM_FIELD(call.unanswered), seconds>("s", 0, 3600),
        "A stream in an answered call is cut when nothing, not even RTCP, came from its receiver for this "
        "long, and goes on once something does. Lines that are one-way by their direction attribute are "
        "left alone. 0: never."},
    Parameter{
        "media", "nat", choice<STEM_FIELD(call.nat)>(never_auto_always),
        "Is where the media of a peer outside come from learned? auto: when its session description names "
        "a private address and its signalling comes from a public one. Packets are learned from only "
        "when they come from the address that is signalled, or from that of the signalling."},
    Parameter{
        "media", "nat_networks", networks<STEM_FIELD(call.nat_networks)>(),
        "NATs that send a peer's signalling and its media from different addresses: where the signalling "
        "comes from one of these networks, the media may come from all of it."},
    Parameter{"media", "learning_ms",
              integer<STEM_FIELD(call.learning_window), milliseconds>("ms", 100, 300000),
              "For so long after an answer a peer behind NAT may be learned; then its media stay out."},
    Parameter{"media", "end_call_on_excess", choice<STEM_FIELD(call.end_call_on_excess)>(no_yes),
              "When a stream was ended for its excess (threshold rtp_reaction 3), is its whole call?"},

    Parameter{"sm", "mode", choice<STEM_FIELD(sm.mode)>(embedded_remote),
              "Does the Security Manager run inside stemd, or elsewhere (stem-smd)?"},
    Parameter{"sm", "servers",
              text_list<STEM_FIELD(sm.servers)>(
                  "a host and a port, such as \"sm1.example.org:7443\" or \"[2001:db8::9]:7443\"", is_server),
              "Remote: where Security Managers are. The first is tried first; any of them will do."},
    Parameter{"sm", "certificate", text<STEM_FIELD(sm.certificate)>("an absolute path", is_absolute_path),
              "Remote: ours, with the role firewall; PEM (`stemctl pki`). The name in it is the firewall's."},
    Parameter{
        "sm",
        "key", text<STEM_FIELD(sm.key)>("an absolute path", is_absolute_path),
        "Remote: its key; PEM, not encrypted, mode 0600. Certificate, key, authority and list are read anew "
        "on SIGHUP."},
    Parameter{"sm", "ca", text<STEM_FIELD(sm.ca)>("an absolute path", is_absolute_path),
              "Remote: the authority's certificate, PEM."},
    Parameter{"sm", "crl",
              text<STEM_FIELD(sm.crl)>("an absolute path, or \"\" for none", is_absolute_path_or_empty),
              "Remote: the authority's revocation list, PEM; looked at every second."},
    Parameter{
        "sm",
        "on_loss", choice<STEM_FIELD(sm.on_loss)>(hold_cache),
        "Remote: what becomes of new calls while no Security Manager can be reached. hold: they wait up to "
        "hold_ms, and are refused with 503. cache: they are decided by the snapshot that a Security Manager "
        "has signed; where there is none, or it is too old, as hold. Calls in progress go on."},
    Parameter{"sm", "hold_ms", integer<STEM_FIELD(sm.hold), milliseconds>("ms", 10, 30000),
              "Remote: the longest that a call waits for a Security Manager. Less than decision_timeout_ms."},
    Parameter{"sm", "retry_after_seconds", integer<STEM_FIELD(sm.retry_after), seconds>("s", 0, 3600),
              "Remote: told with that 503 (Retry-After); 0: nothing is told."},
    Parameter{
        "sm",
        "query_timeout_ms", integer<STEM_FIELD(sm.query_timeout), milliseconds>("ms", 10, 30000),
        "Remote: a Security Manager that has not answered a query after this time is left for another."},
    Parameter{"sm", "reconnect_min_ms", integer<STEM_FIELD(sm.reconnect_min), milliseconds>("ms", 10, 60000),
              "Remote: the pause after all servers were tried; it doubles with each round."},
    Parameter{"sm", "reconnect_max_ms", integer<STEM_FIELD(sm.reconnect_max), milliseconds>("ms", 10, 600000),
              "Remote: the longest such pause. A random half of each is left out."},
    Parameter{"sm", "skew_ms", integer<STEM_FIELD(sm.skew), milliseconds>("ms", 100, 300000),
              "Remote: how far a message's time may be from this machine's."},
    Parameter{"sm", "cache",
              text<STEM_FIELD(sm.cache)>("an absolute path, or \"\" for /var/lib/stem/INSTANCE.snapshot",
                                         is_absolute_path_or_empty),
              "Remote: the file in which the snapshot outlives stemd."},
    Parameter{"sm", "cache_max_age_seconds", integer<STEM_FIELD(sm.cache_max_age), seconds>("s", 1, 31536000),
              "Remote: by an older snapshot no call is decided."},
    Parameter{"sm", "database",
              text<STEM_FIELD(sm.database)>("an absolute path, \"\" for /var/lib/stem/INSTANCE.db, or "
                                            "\"postgresql://USER@HOST/DATABASE\" without a password",
                                            is_database_or_empty),
              "Embedded: users, profiles, locations, spam lists and thresholds: in a SQLite file, or in a "
              "PostgreSQL "
              "database that several share (docs/security-manager.md). The option --db goes before it."},
    Parameter{"sm", "unknown_user", choice<STEM_FIELD(sm.policy.unknown_user)>(accept_reject_drop),
              "What becomes of a call from outside to a URI that no user has."},
    Parameter{"sm", "unknown_user_status", integer<STEM_FIELD(sm.policy.unknown_user_status)>("", 400, 699),
              "SIP status of that rejection."},
    Parameter{"sm", "unlocated", choice<STEM_FIELD(sm.policy.unlocated)>(accept_reject),
              "What becomes of an accepted call to a user of whom no terminal is known: let in without a "
              "bound on the terminal's address, or rejected with 480."},
    Parameter{
        "sm",
        "outgoing", choice<STEM_FIELD(sm.policy.outgoing)>(accept_reject_challenge),
        "What becomes of calls from inside. challenge: the caller must have announced the call, or answer a "
        "challenge (407) for a password of [auth], and may call in his own name only."},
    Parameter{"sm", "outgoing_unchallenged", networks<STEM_FIELD(sm.policy.unchallenged)>(),
              "Challenge: calls from these networks go out all the same: of proxies, PBXs and trunks, which "
              "know their users themselves."},
    Parameter{"sm", "outgoing_status", integer<STEM_FIELD(sm.policy.outgoing_status)>("", 400, 699),
              "SIP status of that rejection."},
    Parameter{
        "sm",
        "busy_status", integer<STEM_FIELD(sm.policy.busy_status)>("", 400, 699),
        "SIP status for a call to a user, or to users of a profile, with as many calls as max_calls allows."},
    Parameter{"sm", "decision_timeout_ms",
              integer<STEM_FIELD(call.decision_timeout), milliseconds>("ms", 10, 31000),
              "An INVITE without a decision after this time is refused with 503."},
    Parameter{"sm", "drill_delay_ms", integer<STEM_FIELD(sm.drill_delay), milliseconds>("ms", 0, 60000),
              "Gives every decision this late, on purpose: a drill, to see how phones behave while they are "
              "held. 0 in normal service.",
              true},

    Parameter{
        "audit", "file",
        text<STEM_FIELD(audit.file)>(
            "an absolute path, or \"\" for beside the database; with PostgreSQL, where its file would be",
            is_absolute_path_or_empty),
        "JSON lines, mode 0600: FILE, and full ones as FILE.1, FILE.2, ... Opened anew on SIGHUP."},
    Parameter{"audit", "file_mib", integer<STEM_FIELD(audit.file_mib)>("MiB", 1, 4096),
              "How long the file may be before it is turned over."},
    Parameter{"audit", "files", integer<STEM_FIELD(audit.files)>("files", 0, 1000),
              "How many full ones are kept; the oldest is given up."},
    Parameter{"audit", "sync_ms", integer<STEM_FIELD(audit.sync), milliseconds>("ms", 0, 60000),
              "How often the file is brought to the disk, beside the calls: what a power cut may cost. A "
              "crash of the "
              "program costs nothing. 0: when the kernel sees fit."},

    Parameter{
        "peers", "trunks", networks<STEM_FIELD(peers.trunks)>(),
        "Carriers, exchanges and proxies outside: always known, with a large budget, never blocked. At most "
        "256 addresses a network. `stemctl peers add` names others while stemd runs."},
    Parameter{"peers", "call_seconds", integer<STEM_FIELD(peers.call_memory), seconds>("s", 10, 604800),
              "Who made or took a call stays known for so long after it."},

    Parameter{"frames", "chunks", integer<STEM_FIELD(frames.chunks)>("chunks of 4 KiB", 256, 1048576),
              "Shared by all queues of both ports, and by the INVITEs that are held."},
    Parameter{"frames", "ring_size", integer<STEM_FIELD(frames.ring_size)>("entries", 64, 32768, true),
              "Of each ring of each AF_XDP socket."},
    Parameter{
        "frames", "unknown_queue", integer<STEM_FIELD(frames.unknown_queue)>("frames", 0, 65536),
        "Messages of unknown sources that wait while known peers are served. When one more comes the oldest "
        "is dropped as `sip_unknown_queue`. At most an eighth of `chunks` is used."},

    Parameter{"fragments", "datagrams", integer<STEM_FIELD(fragments.datagrams)>("", 0, 65536),
              "Incomplete datagrams. 0: fragments of SIP are dropped."},
    Parameter{"fragments", "datagrams_per_source",
              integer<STEM_FIELD(fragments.datagrams_per_source)>("", 1, 65536),
              "Of one source; an IPv6 /64 is one."},
    Parameter{"fragments", "octets", integer<STEM_FIELD(fragments.octets)>("octets", 1024, 268435456),
              "Octets of all incomplete datagrams. Each fragment also has a frame of [frames] chunks."},
    Parameter{"fragments", "octets_per_source",
              integer<STEM_FIELD(fragments.octets_per_source)>("octets", 1024, 268435456), "Of one source."},
    Parameter{"fragments", "fragments_per_datagram", integer<STEM_FIELD(fragments.fragments)>("", 2, 64),
              "A datagram of more is dropped as `fragment_form`, as is one whose fragments overlap."},
    Parameter{"fragments", "datagram", integer<STEM_FIELD(fragments.datagram)>("octets", 576, 65515),
              "A whole datagram, its UDP header included."},
    Parameter{"fragments", "timeout_ms",
              integer<STEM_FIELD(fragments.timeout), milliseconds>("ms", 100, 60000),
              "From the first that comes to the last. Then what is there is dropped as `fragment_orphan`."},

    Parameter{
        "parsers", "load", text_list<STEM_FIELD(parsers.load)>("\"sip\" or \"mgcp\"", is_parser),
        "Protocol parsers. What comes on the ports of one that is not loaded is dropped as `sip_method`."},
    Parameter{"parsers", "mgcp_ports",
              text_list<STEM_FIELD(parsers.mgcp_ports)>("a UDP port, such as \"2427\"", is_port),
              "Ports of MGCP. They are given to stemd as SIP's are, and so have no other rules."},
    Parameter{
        "parsers", "mgcp_connections", integer<STEM_FIELD(parsers.mgcp.connections)>("", 1, 1048576),
        "MGCP connections at once. A command or an answer that makes one more is dropped as `call_limit`."},
    Parameter{"parsers", "mgcp_transactions", integer<STEM_FIELD(parsers.mgcp.transactions)>("", 16, 4194304),
              "MGCP commands that wait for responses, or may be repeated."},
    Parameter{"parsers", "mgcp_datagram",
              integer<STEM_FIELD(parsers.mgcp.limits.datagram)>("octets", 256, 65507),
              "A whole datagram of MGCP."},
    Parameter{"parsers", "mgcp_messages", integer<STEM_FIELD(parsers.mgcp.limits.messages)>("", 1, 64),
              "Messages in one datagram."},
    Parameter{"parsers", "mgcp_lines", integer<STEM_FIELD(parsers.mgcp.limits.lines)>("", 4, 1024),
              "Lines of a message, its session description not counted."},
    Parameter{"parsers", "mgcp_line", integer<STEM_FIELD(parsers.mgcp.limits.line)>("octets", 64, 8192),
              "One line."},

    Parameter{"log", "level", choice<STEM_FIELD(log.level)>(log_levels),
              "Least weight of what is logged. The option --log-level goes before it.", true},
    Parameter{"log", "drops_per_second", integer<STEM_FIELD(log.drops_per_second)>("lines", 0, 10000),
              "Lines about dropped messages; what is above is told once a second as a number.", true},

    Parameter{"api", "socket",
              text<STEM_FIELD(api.socket)>(
                  "an absolute path of at most 107 octets, or \"\" for RUN-DIR/INSTANCE/stemd.sock",
                  is_socket_path_or_empty),
              "Where stemd listens."},
    Parameter{"api", "mode", text<STEM_FIELD(api.mode)>("three octal digits, such as \"0660\"", is_mode),
              "Permissions of the socket. Who can write to it rules the instance."},
    Parameter{"api", "connections", integer<STEM_FIELD(api.connections)>("", 1, 1024),
              "Connections at once; one more is closed."},
    Parameter{"api", "timeout_ms", integer<STEM_FIELD(api.timeout), milliseconds>("ms", 100, 60000),
              "For a request to come in, and for its answer to be taken."},
};

const auto whole_table = settings::joined_tables(parameter_table, auth::parameters<Config>());

} // namespace

const settings::Schema<Config>& schema() {
    static const settings::Schema<Config> whole{.program = "stemd",
                                                .default_file = default_file,
                                                .sections = section_table,
                                                .parameters = whole_table};
    return whole;
}

} // namespace stem::config
