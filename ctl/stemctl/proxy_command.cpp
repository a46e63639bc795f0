// SPDX-License-Identifier: Apache-2.0
// proxy: the SIP proxy that calls from outside are sent to.
#include "ctl/kernel/sip_proxy.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/table.h"

#include <CLI/Validators.hpp>
#include <fmt/format.h>

#include <memory>

namespace stem::stemctl {
namespace {

struct ProxyOptions {
    std::string endpoint;
    std::string station;
    std::string family = "both";
};

boost::json::object to_json(const kernel::SipProxy& proxy) {
    boost::json::value station;
    if (proxy.station) {
        station = kernel::station_text(*proxy.station);
    }
    return {{"family", proxy.endpoint.address.is_v4() ? "ipv4" : "ipv6"},
            {"address", proxy.endpoint.address.to_string()},
            {"port", proxy.endpoint.port},
            {"mac", std::move(station)},
            {"mac_given", proxy.station_given}};
}

int run_set(const Session& session, const ProxyOptions& options) {
    const auto endpoint = kernel::SipProxy::parse_endpoint(options.endpoint);
    if (!endpoint) {
        return session.failed(endpoint.error());
    }
    kernel::SipProxy proxy{.endpoint = *endpoint, .station = {}, .station_given = false};
    if (!options.station.empty()) {
        const auto station = kernel::SipProxy::parse_station(options.station);
        if (!station) {
            return session.failed(station.error());
        }
        proxy.station = *station;
        proxy.station_given = true;
    }
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    if (auto set = kernel::set_proxy(*instance, proxy); !set) {
        return session.failed(set.error());
    }
    if (instance->meta().mode == STEM_MODE_BRIDGE && !proxy.station) {
        Session::warn("until the proxy has sent something through STEM, its link address is not known, and "
                      "SIP for it is dropped: give --mac, or let it ping the outside once");
    }
    if (session.json) {
        Session::print(to_json(proxy));
    } else {
        Session::print(fmt::format("SIP from outside goes to {}\n", proxy.endpoint.to_string()));
    }
    return exit_done;
}

int run_show(const Session& session) {
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    const auto proxies = kernel::list_proxies(*instance);
    if (!proxies) {
        return session.failed(proxies.error());
    }
    if (session.json) {
        boost::json::array array;
        for (const auto& proxy : *proxies) {
            array.push_back(to_json(proxy));
        }
        Session::print(boost::json::object{{"proxies", std::move(array)}});
        return exit_done;
    }
    Table table({{"PROXY"}, {"LINK ADDRESS"}, {"FROM"}});
    for (const auto& proxy : *proxies) {
        table.row({proxy.endpoint.to_string(), proxy.station ? kernel::station_text(*proxy.station) : "-",
                   proxy.station_given ? "given"
                   : proxy.station     ? "learned"
                                       : "not known yet"});
    }
    Session::print(table.empty() ? "no proxy: SIP goes where it is sent\n" : table.to_string());
    return exit_done;
}

int run_clear(const Session& session, const ProxyOptions& options) {
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    int cleared = 0;
    for (const stem_proxy_family family : {STEM_PROXY_V4, STEM_PROXY_V6}) {
        const bool other = options.family == (family == STEM_PROXY_V4 ? "ipv6" : "ipv4");
        if (other) {
            continue;
        }
        const auto was_there = kernel::clear_proxy(*instance, family);
        if (!was_there) {
            return session.failed(was_there.error());
        }
        cleared += *was_there ? 1 : 0;
    }
    if (session.json) {
        Session::print(boost::json::object{{"cleared", cleared}});
    } else {
        Session::print(std::string(cleared == 0 ? "there was no proxy\n" : "SIP goes where it is sent\n"));
    }
    return exit_done;
}

} // namespace

void add_proxy_commands(CLI::App& root, Session& session) {
    auto* proxy = Session::group(root, "proxy",
                                 "Send SIP from outside to a SIP proxy, whichever inside address it calls.");
    auto options = std::make_shared<ProxyOptions>();
    auto* set = session.command(
        *proxy, "set",
        "Set the SIP proxy of a family. Takes effect with the next packet.\n"
        "Answers come back as from the address that was called. One proxy for IPv4, one for IPv6.",
        "  stemctl proxy set 198.51.100.5\n  stemctl proxy set '[2001:db8:2::5]:5070' --mac "
        "00:00:5e:00:53:05",
        [&session, options] { return run_set(session, *options); });
    set->add_option("proxy", options->endpoint, "Its inside address, and its port if that is not 5060")
        ->required()
        ->type_name("ADDRESS[:PORT]");
    set->add_option("--mac", options->station,
                    "Bridge mode: its link address, or its router's [learned from what it sends]")
        ->type_name("MAC");
    session.command(*proxy, "show", "Show the SIP proxies.", "  stemctl proxy show --json",
                    [&session] { return run_show(session); });
    auto* clear = session.command(*proxy, "clear",
                                  "Send SIP where it is addressed again. Connections that are up stay with\n"
                                  "the proxy that they have.",
                                  "  stemctl proxy clear --family ipv6",
                                  [&session, options] { return run_clear(session, *options); });
    clear->add_option("--family", options->family, "Of which family")
        ->check(CLI::IsMember({"both", "ipv4", "ipv6"}))
        ->capture_default_str();
}

} // namespace stem::stemctl
