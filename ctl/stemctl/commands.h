// SPDX-License-Identifier: Apache-2.0
// Every group of commands, in the order of stemctl's help. A new group: a file of its own, a line here and
// one in command_tree.cpp.
#pragma once

#include "ctl/stemctl/session.h"

#include <memory>

namespace stem::stemctl {

// The whole tree; `session` must outlive it.
std::unique_ptr<CLI::App> make_command_tree(Session& session);

void add_attach_commands(CLI::App& root, Session& session);      // attach, detach
void add_status_commands(CLI::App& root, Session& session);      // status
void add_modules_commands(CLI::App& root, Session& session);     // modules list, enable, disable; upgrade
void add_deny_commands(CLI::App& root, Session& session);        // deny add, del, list
void add_rules_commands(CLI::App& root, Session& session);       // rules load, list, check, test
void add_peers_commands(CLI::App& root, Session& session);       // peers list, add, remove; alarms
void add_flows_commands(CLI::App& root, Session& session);       // flows
void add_states_commands(CLI::App& root, Session& session);      // states, states flush
void add_proxy_commands(CLI::App& root, Session& session);       // proxy set, show, clear
void add_drops_commands(CLI::App& root, Session& session);       // drops, reasons
void add_events_commands(CLI::App& root, Session& session);      // events
void add_calls_commands(CLI::App& root, Session& session);       // calls list, show, drop
void add_connections_commands(CLI::App& root, Session& session); // connections list, reset
void add_user_commands(CLI::App& root, Session& session);        // user, user uri, user import
void add_location_commands(CLI::App& root, Session& session);    // location list, set, del, import
void add_profile_commands(CLI::App& root, Session& session);     // profile, profile rule, profile test
void add_spam_commands(CLI::App& root, Session& session);        // spam add, del, list, import
void add_limit_commands(CLI::App& root, Session& session); // limit add, set, del, list, show, blocks, unblock
void add_audit_commands(CLI::App& root, Session& session); // audit list, export
void add_group_commands(CLI::App& root, Session& session); // group set, del, list, show
void add_backup_commands(CLI::App& root, Session& session);   // backup, restore
void add_firewall_commands(CLI::App& root, Session& session); // firewall list, deny
void add_pki_commands(CLI::App& root, Session& session);      // pki init, issue, renew, revoke, list, crl
void add_help_commands(CLI::App& root, Session& session);     // completion, help-man

// thresholds list, show, set, reset
void add_thresholds_commands(CLI::App& root, Session& session);
void add_rules_test_command(CLI::App& rules, Session& session); // rules test, for add_rules_commands()

} // namespace stem::stemctl
