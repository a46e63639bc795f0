// SPDX-License-Identifier: Apache-2.0
// pki: a small certificate authority for firewalls, Security Managers, gateways, terminals and
// administrators.
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/table.h"
#include "sm/pki/authority.h"
#include "sm/timestamp.h"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <memory>

namespace stem::stemctl {
namespace {

namespace json = boost::json;
using pki::Authority;
using pki::LedgerEntry;

constexpr std::uint32_t longest_days = 36500;

struct PkiOptions {
    std::string folder = "/etc/stem/pki";
    std::string authority_name = "STEM certificate authority";
    std::uint32_t authority_days = 3650;
    std::uint32_t days = 397;
    std::uint32_t crl_days = 90;
    std::string role;
    std::string name;
    std::string serial;
    std::string out;
    std::vector<std::string> hosts;
    bool revoke_former = false;
};

pki::TimePoint now() {
    return std::chrono::system_clock::now();
}

std::string_view state_of(const LedgerEntry& entry) {
    if (entry.revoked_at) {
        return "revoked";
    }
    return entry.valid(now()) ? "valid" : "expired";
}

json::object to_json(const LedgerEntry& entry) {
    return {
        {"serial", entry.serial},
        {"role", label_of(entry.identity.role)},
        {"name", entry.identity.name},
        {"state", state_of(entry)},
        {"not_before", sm::to_timestamp(entry.not_before)},
        {"not_after", sm::to_timestamp(entry.not_after)},
        {"revoked_at", entry.revoked_at ? json::value(sm::to_timestamp(*entry.revoked_at)) : json::value()}};
}

Result<Authority> open(const PkiOptions& options) {
    auto authority = Authority::open(options.folder);
    if (authority) {
        authority->set_lifetimes({.certificate = std::chrono::days(options.days),
                                  .revocation_list = std::chrono::days(options.crl_days)});
    }
    return authority;
}

Result<pki::Identity> identity_of(const PkiOptions& options) {
    const auto role = pki::role_from(options.role);
    if (!role) {
        return fail(fmt::format("read role '{}'", options.role), "there is no such role",
                    "roles: " + pki::role_labels());
    }
    if (auto good = pki::check_identity_name(options.name); !good) {
        return std::unexpected(good.error());
    }
    return pki::Identity{*role, options.name};
}

int run_init(const Session& session, const PkiOptions& options) {
    const auto authority = Authority::init(options.folder, options.authority_name,
                                           std::chrono::days(options.authority_days), now());
    if (!authority) {
        return session.failed(authority.error());
    }
    const auto certificate = authority->certificate_file().string();
    if (session.json) {
        Session::print(json::object{{"directory", options.folder},
                                    {"certificate", certificate},
                                    {"crl", authority->revocation_list().string()},
                                    {"not_after", sm::to_timestamp(authority->certificate().not_after())}});
    } else {
        Session::print(fmt::format("authority '{}' is in {}; give {} and ca.crl to every peer, and keep "
                                   "ca.key where no peer is\n",
                                   options.authority_name, options.folder, certificate));
    }
    return exit_done;
}

// `make` issues or renews.
template<typename Make>
int run_make(const Session& session, const PkiOptions& options, Make make) {
    const auto identity = identity_of(options);
    if (!identity) {
        return session.failed(identity.error());
    }
    auto authority = open(options);
    if (!authority) {
        return session.failed(authority.error());
    }
    const Result<Authority::Issued> issued = make(*authority, *identity);
    if (!issued) {
        return session.failed(issued.error());
    }
    if (session.json) {
        auto told = to_json(issued->entry);
        told["certificate"] = issued->certificate.string();
        told["key"] = issued->key.string();
        Session::print(told);
    } else {
        Session::print(fmt::format("{}: {} and {}, valid until {}\n", identity->text(),
                                   issued->certificate.string(), issued->key.string(),
                                   sm::to_timestamp(issued->entry.not_after)));
    }
    return exit_done;
}

int print_revoked(const Session& session, const Authority& authority, const std::vector<LedgerEntry>& list) {
    if (session.json) {
        json::array revoked;
        for (const auto& entry : list) {
            revoked.push_back(to_json(entry));
        }
        Session::print(
            json::object{{"revoked", std::move(revoked)}, {"crl", authority.revocation_list().string()}});
        return exit_done;
    }
    for (const auto& entry : list) {
        Session::print(
            fmt::format("{} (serial number {}) is revoked\n", entry.identity.text(), entry.serial));
    }
    Session::print(fmt::format("copy {} to every peer: they look at it every second\n",
                               authority.revocation_list().string()));
    return exit_done;
}

int run_revoke(const Session& session, const PkiOptions& options) {
    const bool by_name = !options.role.empty() && !options.name.empty();
    if (by_name == !options.serial.empty()) {
        static_cast<void>(session.failed(Error{.attempt = "revoke a certificate",
                                               .cause = "which one is not said",
                                               .remedy = "give ROLE and NAME, or --serial"}));
        return exit_usage;
    }
    auto authority = open(options);
    if (!authority) {
        return session.failed(authority.error());
    }
    if (by_name) {
        const auto identity = identity_of(options);
        if (!identity) {
            return session.failed(identity.error());
        }
        const auto revoked = authority->revoke(*identity, now());
        return revoked ? print_revoked(session, *authority, *revoked) : session.failed(revoked.error());
    }
    const auto revoked = authority->revoke_serial(options.serial, now());
    return revoked ? print_revoked(session, *authority, {*revoked}) : session.failed(revoked.error());
}

int run_list(const Session& session, const PkiOptions& options) {
    const auto authority = open(options);
    if (!authority) {
        return session.failed(authority.error());
    }
    if (session.json) {
        json::array list;
        for (const auto& entry : authority->entries()) {
            list.push_back(to_json(entry));
        }
        Session::print(json::object{{"directory", options.folder},
                                    {"not_after", sm::to_timestamp(authority->certificate().not_after())},
                                    {"certificates", std::move(list)}});
        return exit_done;
    }
    Table table({{"ROLE"}, {"NAME"}, {"STATE"}, {"UNTIL"}, {"SERIAL"}});
    for (const auto& entry : authority->entries()) {
        table.row({std::string(label_of(entry.identity.role)), entry.identity.name,
                   std::string(state_of(entry)), sm::to_timestamp(entry.not_after), entry.serial});
    }
    Session::print(table.empty() ? "no certificates issued\n" : table.to_string());
    return exit_done;
}

int run_crl(const Session& session, const PkiOptions& options) {
    auto authority = open(options);
    if (!authority) {
        return session.failed(authority.error());
    }
    const auto until = authority->write_revocation_list(now());
    if (!until) {
        return session.failed(until.error());
    }
    const std::string file = authority->revocation_list().string();
    if (session.json) {
        Session::print(json::object{{"crl", file}, {"next_update", sm::to_timestamp(*until)}});
    } else {
        Session::print(
            fmt::format("{} holds until {}: copy it to every peer\n", file, sm::to_timestamp(*until)));
    }
    return exit_done;
}

} // namespace

void add_pki_commands(CLI::App& root, Session& session) {
    auto options = std::make_shared<PkiOptions>();
    auto* group = Session::group(
        root, "pki", "A small certificate authority: who may speak with the Security Manager, as what.");
    group->add_option("--dir", options->folder, "Folder of the authority")
        ->type_name("DIR")
        ->capture_default_str();
    const auto identity = [options](CLI::App* command, bool required) {
        command->add_option("role", options->role, pki::role_labels())->required(required)->type_name("ROLE");
        command->add_option("name", options->name, "Letters, digits, '.', '_', '-'")
            ->required(required)
            ->type_name("NAME");
    };
    const auto making = [options](CLI::App* command) {
        command->add_option("--out", options->out, "Folder for certificate and key [DIR/issued]")
            ->type_name("DIR");
        command->add_option("--days", options->days, "How long it is valid")
            ->check(CLI::Range(1U, longest_days))
            ->capture_default_str();
    };
    const auto listing = [options](CLI::App* command) {
        command->add_option("--crl-days", options->crl_days, "How long the revocation list holds")
            ->check(CLI::Range(1U, longest_days))
            ->capture_default_str();
    };

    auto* init = session.command(*group, "init", "Make an authority: its key, certificate, revocation list.",
                                 "  stemctl pki init --name 'Example Ltd telephony'",
                                 [&session, options] { return run_init(session, *options); });
    init->add_option("--name", options->authority_name, "Its common name")
        ->type_name("TEXT")
        ->capture_default_str();
    init->add_option("--days", options->authority_days, "How long it is valid")
        ->check(CLI::Range(1U, longest_days))
        ->capture_default_str();

    auto* issue = session.command(
        *group, "issue", "Make a key and a certificate for one peer.",
        "  stemctl pki issue server sm1 --host sm1.example.org --host 192.0.2.9\n"
        "  stemctl pki issue firewall fw1 --out /etc/stem/tls",
        [&session, options] {
            return run_make(session, *options, [&](Authority& authority, const pki::Identity& who) {
                return authority.issue(who, options->hosts, options->out, now());
            });
        });
    identity(issue, true);
    making(issue);
    issue->add_option("--host", options->hosts, "Of a server: name or address; may be given repeatedly")
        ->type_name("HOST");

    auto* renew = session.command(
        *group, "renew", "Make a new key and certificate for a peer that has one.",
        "  stemctl pki renew firewall fw1\n  stemctl pki renew firewall fw1 --revoke-former",
        [&session, options] {
            return run_make(session, *options, [&](Authority& authority, const pki::Identity& who) {
                return authority.renew(who, options->out, options->revoke_former, now());
            });
        });
    identity(renew, true);
    making(renew);
    renew->add_flag("--revoke-former", options->revoke_former, "The former one is void at once");

    auto* revoke = session.command(*group, "revoke", "Make certificates void, and write the revocation list.",
                                   "  stemctl pki revoke firewall fw1\n"
                                   "  stemctl pki revoke --serial 5E1A0C",
                                   [&session, options] { return run_revoke(session, *options); });
    identity(revoke, false);
    revoke->add_option("--serial", options->serial, "One certificate, as pki list shows it")
        ->type_name("SERIAL");
    listing(revoke);

    session.command(*group, "list", "List what was issued.", "  stemctl pki list\n  stemctl pki list --json",
                    [&session, options] { return run_list(session, *options); });

    auto* crl = session.command(*group, "crl", "Write the revocation list anew, before it is out of date.",
                                "  stemctl pki crl && scp /etc/stem/pki/ca.crl fw1:/etc/stem/tls/",
                                [&session, options] { return run_crl(session, *options); });
    listing(crl);
}

} // namespace stem::stemctl
