// SPDX-License-Identifier: Apache-2.0
// The table: every key that stem-smd's configuration knows.
#include "lib/settings/fields.h"
#include "sm/auth/parameters.h"
#include "sm/server/config.h"
#include "sm/store_address.h"

#include <array>

namespace stem::smd {
namespace {

using settings::choice;
using settings::integer;
using settings::is_absolute_path_or_empty;
using settings::networks;
using settings::Section;
using settings::text;
using settings::text_list;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Parameter = settings::Parameter<Config>;

bool is_absolute_path(std::string_view value) {
    return !value.empty() && is_absolute_path_or_empty(value);
}

bool is_endpoint(std::string_view value) {
    const auto endpoint = endpoint_from(value);
    return endpoint && endpoint->port != 0;
}

constexpr std::array<std::string_view, 3> accept_reject_drop{"accept", "reject", "drop"};
constexpr std::array<std::string_view, 2> accept_reject{"accept", "reject"};
constexpr std::array<std::string_view, 3> accept_reject_challenge{"accept", "reject", "challenge"};
constexpr std::array<std::string_view, 4> log_levels{"debug", "info", "warn", "error"};

const std::array section_table{
    Section{"server", "Where it listens, and what one peer can cost."},
    Section{"tls", "Its certificate, and whom it believes. Made by `stemctl pki`; read anew on SIGHUP."},
    Section{"channel", "The control channel to firewalls (docs/control-channel.md)."},
    Section{"sm", "What is known of users, and what holds where no user's profile decides."},
    Section{"audit", "Who decided what, and who changed what (docs/audit.md). Taken over on SIGHUP."},
    auth::section,
    Section{"log", "The log goes to the standard error output."},
};

const std::array parameter_table{
    Parameter{
        "server", "listen",
        text_list<STEM_FIELD(server.listen)>(
            "an address and a port, such as \"192.0.2.9:7443\" or \"[2001:db8::9]:7443\"", is_endpoint),
        "HTTPS for administrators, terminals and gateways, and the control channel for firewalls, on one "
        "port."},
    Parameter{"server", "connections", integer<STEM_FIELD(server.connections)>("", 1, 65536),
              "At once, of peers that have shown their certificates; one more is closed."},
    Parameter{"server", "handshakes", integer<STEM_FIELD(server.handshakes)>("", 1, 4096),
              "Connections at once whose peers have not yet shown theirs. One more pushes out the oldest."},
    Parameter{"server", "timeout_ms", integer<STEM_FIELD(server.timeout), milliseconds>("ms", 100, 60000),
              "For a handshake, for a request to come in, and for its answer to be taken."},
    Parameter{"server", "header", integer<STEM_FIELD(server.header)>("octets", 512, 65536),
              "The longest header of a request. A body may have a mebibyte."},

    Parameter{
        "server", "passwords", choice<STEM_FIELD(server.passwords)>(auth::no_yes),
        "May administrators come without a certificate, with a name and a password (HTTP Basic, over the "
        "same TLS 1.3)? `stemctl admin password` sets them. Each such request has a connection of its own.",
        true},

    Parameter{"tls", "certificate", text<STEM_FIELD(tls.certificate)>("an absolute path", is_absolute_path),
              "PEM; with the role server.", true},
    Parameter{"tls", "key", text<STEM_FIELD(tls.key)>("an absolute path", is_absolute_path),
              "PEM, not encrypted, mode 0600.", true},
    Parameter{"tls", "ca", text<STEM_FIELD(tls.ca)>("an absolute path", is_absolute_path),
              "The authority's certificate, PEM.", true},
    Parameter{
        "tls", "crl",
        text<STEM_FIELD(tls.crl)>("an absolute path, or \"\" for none", is_absolute_path_or_empty),
        "The authority's revocation list, PEM. It is looked at every second; who is on it is cut off at "
        "once. Without one nothing counts as revoked.",
        true},

    Parameter{"channel", "skew_ms", integer<STEM_FIELD(channel.skew), milliseconds>("ms", 100, 300000),
              "How far a message's time may be from this machine's. For connections that begin later.", true},
    Parameter{"channel", "idle_ms", integer<STEM_FIELD(channel.idle), milliseconds>("ms", 2000, 600000),
              "A firewall's connection on which nothing has come for so long is closed.", true},
    Parameter{"channel", "snapshot_seconds", integer<STEM_FIELD(channel.snapshot), seconds>("s", 1, 86400),
              "How often firewalls that want it get a signed snapshot of what decisions are made from.",
              true},

    Parameter{
        "sm", "database",
        text<STEM_FIELD(sm.database)>("an absolute path, or \"postgresql://USER@HOST/DATABASE\" without "
                                      "a password",
                                      sm::is_store_address),
        "Users, profiles, locations, spam lists and thresholds: in a SQLite file of this stem-smd's own, or "
        "in "
        "a PostgreSQL database that several share (docs/security-manager.md). libpq's parameters may follow, "
        "as "
        "?passfile=/etc/stem/pgpass, whose file must have mode 0600. The option --db goes before it."},
    Parameter{"sm", "unknown_user", choice<STEM_FIELD(sm.policy.unknown_user)>(accept_reject_drop),
              "What becomes of a call from outside to a URI that no user has.", true},
    Parameter{"sm", "unknown_user_status", integer<STEM_FIELD(sm.policy.unknown_user_status)>("", 400, 699),
              "SIP status of that rejection.", true},
    Parameter{"sm", "unlocated", choice<STEM_FIELD(sm.policy.unlocated)>(accept_reject),
              "What becomes of an accepted call to a user of whom no terminal is known: let in without a "
              "bound on the terminal's address, or rejected with 480.",
              true},
    Parameter{
        "sm", "outgoing", choice<STEM_FIELD(sm.policy.outgoing)>(accept_reject_challenge),
        "What becomes of calls from inside. challenge: the caller must have announced the call, or answer a "
        "challenge (407) for a password of [auth], and may call in his own name only.",
        true},
    Parameter{"sm", "outgoing_unchallenged", networks<STEM_FIELD(sm.policy.unchallenged)>(),
              "Challenge: calls from these networks go out all the same: of proxies, PBXs and trunks, which "
              "know their users themselves.",
              true},
    Parameter{"sm", "outgoing_status", integer<STEM_FIELD(sm.policy.outgoing_status)>("", 400, 699),
              "SIP status of that rejection.", true},

    Parameter{
        "sm", "busy_status", integer<STEM_FIELD(sm.policy.busy_status)>("", 400, 699),
        "SIP status for a call to a user, or to users of a profile, with as many calls as max_calls allows.",
        true},
    Parameter{
        "audit", "file",
        text<STEM_FIELD(audit.file)>(
            "an absolute path, or \"\" for beside the database; with PostgreSQL, where its file would be",
            is_absolute_path_or_empty),
        "JSON lines, mode 0600: FILE, and full ones as FILE.1, FILE.2, ... Opened anew on SIGHUP.", true},
    Parameter{"audit", "file_mib", integer<STEM_FIELD(audit.file_mib)>("MiB", 1, 4096),
              "How long the file may be before it is turned over.", true},
    Parameter{"audit", "files", integer<STEM_FIELD(audit.files)>("files", 0, 1000),
              "How many full ones are kept; the oldest is given up.", true},
    Parameter{"audit", "sync_ms", integer<STEM_FIELD(audit.sync), milliseconds>("ms", 0, 60000),
              "How often the file is brought to the disk, beside the calls: what a power cut may cost. A "
              "crash of the "
              "program costs nothing. 0: when the kernel sees fit.",
              true},

    Parameter{"log", "level", choice<STEM_FIELD(log.level)>(log_levels),
              "Least weight of what is logged. The option --log-level goes before it.", true},
    Parameter{"log", "refusals_per_second", integer<STEM_FIELD(log.refusals_per_second)>("lines", 1, 10000),
              "Lines of the audit about refused peers, requests and messages; what is above is told once a "
              "second as a number.",
              true},
};

const auto whole_table = settings::joined_tables(parameter_table, auth::parameters<Config>());

} // namespace

const settings::Schema<Config>& schema() {
    static const settings::Schema<Config> whole{.program = "stem-smd",
                                                .default_file = default_file,
                                                .sections = section_table,
                                                .parameters = whole_table};
    return whole;
}

} // namespace stem::smd
