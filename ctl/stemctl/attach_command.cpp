// SPDX-License-Identifier: Apache-2.0
// attach, detach: the life of an instance.
#include "ctl/kernel/attach.h"

#include "ctl/kernel/detach.h"
#include "ctl/kernel/rules_file.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/instance_json.h"
#include "ctl/stemctl/module_names.h"

#include <CLI/Validators.hpp>
#include <fmt/format.h>

#include <map>
#include <memory>

namespace stem::stemctl {
namespace {

struct AttachOptions {
    kernel::AttachRequest request;
    std::string mode = "bridge";
    std::string xdp = "auto";
    std::string fallback = "closed";
    std::vector<std::string> failsafe;
    bool no_failsafe = false;
    std::vector<std::string> modules;
    std::string rules;
    std::vector<std::string> proxies;
};

const std::map<std::string, kernel::XdpChoice> xdp_choices = {
    {"auto", kernel::XdpChoice::automatic},
    {"native", kernel::XdpChoice::native},
    {"generic", kernel::XdpChoice::generic},
};

Result<kernel::AttachRequest> to_request(const AttachOptions& options, const std::string& instance) {
    kernel::AttachRequest request = options.request;
    request.instance = instance;
    request.mode = options.mode == "router" ? STEM_MODE_ROUTER : STEM_MODE_BRIDGE;
    request.xdp = xdp_choices.at(options.xdp);
    request.fallback_open = options.fallback == "open";
    if (!options.modules.empty()) {
        request.modules = module_bits(options.modules);
    }
    if (options.no_failsafe || !options.failsafe.empty()) {
        request.failsafe.clear();
    }
    for (const auto& text : options.failsafe) {
        const auto entry = kernel::Failsafe::parse(text);
        if (!entry) {
            return std::unexpected(entry.error());
        }
        request.failsafe.push_back(*entry);
    }
    for (const auto& text : options.proxies) {
        const auto endpoint = kernel::SipProxy::parse_endpoint(text);
        if (!endpoint) {
            return std::unexpected(endpoint.error());
        }
        request.proxies.push_back({.endpoint = *endpoint, .station = {}, .station_given = false});
    }
    if (!options.rules.empty()) {
        const auto rules = kernel::read_rules_file(options.rules);
        if (!rules) {
            return std::unexpected(rules.error());
        }
        request.rules = *rules;
    }
    return request;
}

int run_attach(const Session& session, const AttachOptions& options) {
    const auto request = to_request(options, session.instance);
    if (!request) {
        return session.failed(request.error());
    }
    const auto report = kernel::attach(session.locations(), *request);
    if (!report) {
        return session.failed(report.error());
    }
    if (report->fell_back) {
        Session::warn("native XDP could not be had, both ports run in generic mode, which is slower: " +
                      report->fall_back_cause);
    }
    for (const auto& warning : report->warnings) {
        Session::warn(warning);
    }
    const auto& meta = report->meta;
    if (session.json) {
        boost::json::array warnings(report->warnings.begin(), report->warnings.end());
        Session::print(boost::json::object{
            {"instance", session.instance},
            {"mode", mode_name(meta.mode)},
            {"xdp_requested", options.xdp},
            {"fell_back", report->fell_back},
            {"fall_back_cause", report->fall_back_cause},
            {"ports", ports_json(meta)},
            {"modules", modules_json(meta.modules)},
            {"pins", session.locations().pins(session.instance).string()},
            {"version", std::string(meta.version)},
            {"schema", meta.schema},
            {"warnings", std::move(warnings)},
        });
        return exit_done;
    }
    Session::print(fmt::format(
        "attached '{}' as {}: external {} ({}), internal {} ({})\n", session.instance, mode_name(meta.mode),
        meta.ifname[STEM_PORT_EXTERNAL], xdp_mode_name(meta.xdp_mode[STEM_PORT_EXTERNAL]),
        meta.ifname[STEM_PORT_INTERNAL], xdp_mode_name(meta.xdp_mode[STEM_PORT_INTERNAL])));
    return exit_done;
}

int run_detach(const Session& session, bool force) {
    if (auto done = kernel::detach(session.locations(), session.instance, force); !done) {
        return session.failed(done.error());
    }
    if (session.json) {
        Session::print(boost::json::object{{"instance", session.instance}, {"detached", true}});
    } else {
        Session::print("detached '" + session.instance + "'\n");
    }
    return exit_done;
}

} // namespace

void add_attach_commands(CLI::App& root, Session& session) {
    auto options = std::make_shared<AttachOptions>();
    auto* attach = session.command(
        root, "attach",
        "Put STEM between two interfaces.\n"
        "Loads the data plane, attaches it to both and pins it; all of that or nothing. From then on\n"
        "it filters, with or without stemd: what no rule, no call and not the fail-safe list lets\n"
        "through is dropped.",
        "  stemctl attach --external eth0 --internal eth1\n"
        "  stemctl attach --external eth0 --internal eth1 --mode router --xdp native \\\n"
        "      --failsafe internal:tcp/22:192.0.2.0/24 --rules /etc/stem/rules.toml",
        [&session, options] { return run_attach(session, *options); });
    attach->add_option("--external", options->request.external, "Interface towards the outside network")
        ->required()
        ->type_name("IF");
    attach->add_option("--internal", options->request.internal, "Interface towards the protected network")
        ->required()
        ->type_name("IF");
    attach
        ->add_option("--mode", options->mode,
                     "bridge: a transparent wire between the ports; router: the kernel's routes decide")
        ->check(CLI::IsMember({"bridge", "router"}))
        ->capture_default_str();
    attach
        ->add_option(
            "--xdp", options->xdp,
            "native: in the driver or not at all; generic: any interface, slower; auto: native, else "
            "generic with a warning")
        ->check(CLI::IsMember({"auto", "native", "generic"}))
        ->capture_default_str();
    attach->add_option("--sip-port", options->request.sip_ports, "UDP port that carries SIP; may be repeated")
        ->check(CLI::Range(1, 65535))
        ->type_name("PORT")
        ->allow_extra_args(false)
        ->capture_default_str();
    attach
        ->add_option("--failsafe", options->failsafe,
                     "Management that no policy may cut, SIDE:PROTOCOL/PORT[:NETWORK], SIDE (external or "
                     "internal) being the client's; may be repeated [internal:tcp/22]")
        ->type_name("ENTRY")
        ->allow_extra_args(false);
    attach->add_flag("--no-failsafe", options->no_failsafe, "No fail-safe entry at all")
        ->excludes("--failsafe");
    attach
        ->add_option("--fallback", options->fallback,
                     "SIP while stemd is away: closed drops it, open forwards it unjudged")
        ->check(CLI::IsMember({"closed", "open"}))
        ->capture_default_str();
    add_module_names(*attach->add_option("--modules", options->modules,
                                         "Which parts of the data plane are on, with commas between; or all, "
                                         "or none (stemctl modules) [" +
                                             initial_modules() + "]"),
                     true);
    attach->add_option("--max-flows", options->request.max_flows, "Room for so many open pinholes")
        ->check(CLI::Range(1, 16777216))
        ->type_name("N")
        ->capture_default_str();
    attach->add_option("--max-states", options->request.max_states, "Room for so many kept connections")
        ->check(CLI::Range(64, 4194304))
        ->type_name("N")
        ->capture_default_str();
    attach
        ->add_option("--proxy", options->proxies,
                     "SIP proxy that calls from outside are sent to, one of each family (stemctl proxy)")
        ->type_name("ADDRESS[:PORT]")
        ->allow_extra_args(false);
    attach
        ->add_option("--event-rate", options->request.event_rate,
                     "Sampled events a second and CPU, for stemctl events; 0 for none")
        ->check(CLI::Range(0, 1000000))
        ->type_name("N")
        ->capture_default_str();
    attach
        ->add_option("--rules", options->rules,
                     "Static rules and default policies to start with (stemctl rules --help)")
        ->type_name("FILE");

    auto force = std::make_shared<bool>(false);
    auto* detach = session.command(
        root, "detach",
        "Take STEM off its interfaces.\n"
        "Removes all of its state from the kernel. In bridge mode nothing connects the two sides afterwards.",
        "  stemctl detach", [&session, force] { return run_detach(session, *force); });
    detach->add_flag("--force", *force, "Also while stemd runs on the instance");
}

} // namespace stem::stemctl
