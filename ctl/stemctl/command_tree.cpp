// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/host.h"
#include "ctl/kernel/version.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/help_format.h"
#include "ctl/stemctl/password_commands.h"

#include <fmt/format.h>

namespace stem::stemctl {

std::unique_ptr<CLI::App> make_command_tree(Session& session) {
    auto root = std::make_unique<CLI::App>(
        "Load, read and change STEM, the firewall that understands telephony.\n"
        "Most commands speak to the data plane in the kernel, and work with stemd away.",
        "stemctl");
    root->formatter(std::make_shared<HelpFormat>());
    // The options of every command are the root's: they may stand before or after a command's name.
    root->fallthrough();
    root->require_subcommand(1);
    root->set_version_flag("--version",
                           fmt::format("stemctl {} (schema {}, libbpf {}, kernel {})", kernel::version,
                                       STEM_SCHEMA_VERSION, kernel::libbpf_version(),
                                       kernel::kernel_release()),
                           "Print versions and end");
    root->set_help_flag("--help,-h", "Print help and end");
    root->add_flag("--json", session.json, "Print JSON for scripts (docs/json.md)");
    root->add_option("--instance", session.instance, "Which instance, where there are several")
        ->type_name("NAME")
        ->capture_default_str();
    root->add_option("--bpffs", session.bpffs, "Where instances are pinned [STEM_BPFFS, or /run/stem/bpf]")
        ->type_name("DIR");
    root->add_option("--run-dir", session.run_dir, "Locks and sockets [STEM_RUN_DIR, or /run/stem]")
        ->type_name("DIR");
    root->add_option("--sm", session.sm,
                     "A Security Manager elsewhere, for user, profile, spam, location, thresholds, limit, "
                     "audit, group, backup, restore, firewall")
        ->type_name("URL")
        ->envname("STEM_SM");
    root->add_option("--sm-cert", session.sm_certificate, "Our certificate for it, with the role admin")
        ->type_name("FILE")
        ->envname("STEM_SM_CERT");
    root->add_option("--sm-key", session.sm_key, "Its key, mode 0600")
        ->type_name("FILE")
        ->envname("STEM_SM_KEY");
    root->add_option("--sm-ca", session.sm_ca, "The certificate of the authority")
        ->type_name("FILE")
        ->envname("STEM_SM_CA");
    root->add_option("--sm-crl", session.sm_crl, "The authority's revocation list [none]")
        ->type_name("FILE")
        ->envname("STEM_SM_CRL");
    root->footer(
        "The options above may stand after a command, too. Exit codes: 0 done, 1 failed, 2 wrong usage.\n"
        "Example:\n  stemctl attach --external eth0 --internal eth1\n  stemctl drops --help");

    add_attach_commands(*root, session);
    add_status_commands(*root, session);
    add_modules_commands(*root, session);
    add_thresholds_commands(*root, session);
    add_deny_commands(*root, session);
    add_peers_commands(*root, session);
    add_rules_commands(*root, session);
    add_flows_commands(*root, session);
    add_states_commands(*root, session);
    add_proxy_commands(*root, session);
    add_drops_commands(*root, session);
    add_events_commands(*root, session);
    add_calls_commands(*root, session);
    add_connections_commands(*root, session);
    add_user_commands(*root, session);
    add_admin_commands(*root, session);
    add_announce_command(*root, session);
    add_location_commands(*root, session);
    add_profile_commands(*root, session);
    add_spam_commands(*root, session);
    add_limit_commands(*root, session);
    add_audit_commands(*root, session);
    add_group_commands(*root, session);
    add_backup_commands(*root, session);
    add_firewall_commands(*root, session);
    add_pki_commands(*root, session);
    add_help_commands(*root, session);
    return root;
}

} // namespace stem::stemctl
