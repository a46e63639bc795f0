// SPDX-License-Identifier: Apache-2.0
#include "plane/line.h"

#include <minimal.skel.h>

#include <fmt/format.h>

namespace stem::bench {

// Drops at the outer ends.
struct Line::Ends {
    minimal_bpf* program = nullptr;
    UniqueFd source;
    UniqueFd sink;

    Ends() = default;
    Ends(const Ends&) = delete;
    Ends& operator=(const Ends&) = delete;
    ~Ends() { minimal_bpf::destroy(program); }
};

namespace {

std::string text_of(const std::array<std::uint8_t, 6>& station) {
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", station[0], station[1], station[2],
                       station[3], station[4], station[5]);
}

} // namespace

Line::Line(lab::Netns outside, lab::Netns middle, lab::Netns inside)
    : outside_(std::move(outside)), middle_(std::move(middle)), inside_(std::move(inside)),
      source_{.netns = &outside_, .name = "source"}, external_{.netns = &middle_, .name = "external"},
      internal_{.netns = &middle_, .name = "internal"}, sink_{.netns = &inside_, .name = "sink"},
      ends_(std::make_unique<Ends>()) {
}

Line::~Line() = default;

Result<std::unique_ptr<Line>> Line::create() {
    auto outside = lab::Netns::create("outside");
    auto middle = lab::Netns::create("middle");
    auto inside = lab::Netns::create("inside");
    for (const auto* made : {&outside, &middle, &inside}) {
        if (!*made) {
            return std::unexpected(made->error());
        }
    }
    std::unique_ptr<Line> line(new Line(std::move(*outside), std::move(*middle), std::move(*inside)));
    for (const auto step : {&Line::connect, &Line::route, &Line::end}) {
        if (auto done = ((*line).*step)(); !done) {
            return std::unexpected(done.error());
        }
    }
    return line;
}

Result<> Line::connect() {
    // No router or multicast chatter: every frame that is counted is the generator's.
    for (const auto* outer : {&outside_, &inside_}) {
        if (auto set = outer->sysctl("ipv6/conf/default/disable_ipv6", "1"); !set) {
            return set;
        }
    }
    auto made = lab::connect({outside_, source_.name}, {middle_, external_.name});
    if (made) {
        made = lab::connect({middle_, internal_.name}, {inside_, sink_.name});
    }
    for (auto* port : {&source_, &external_, &internal_, &sink_}) {
        if (made) {
            made = port->netns->ip(fmt::format("link set {} up\n", port->name));
        }
        if (made) {
            made = port->identify();
        }
    }
    return made;
}

Result<> Line::route() {
    for (const auto& [key, value] : {std::pair{"ipv4/ip_forward", "1"},
                                     {"ipv6/conf/all/forwarding", "1"},
                                     {"ipv4/conf/all/rp_filter", "0"},
                                     {"ipv4/conf/external/rp_filter", "0"},
                                     {"ipv4/conf/internal/rp_filter", "0"}}) {
        if (auto set = middle_.sysctl(key, value); !set) {
            return set;
        }
    }
    std::string batch;
    const auto towards = [&](const Port& port, const Port& peer, std::string_view v4, std::string_view v6,
                             std::string_view net_v4, std::string_view net_v6) {
        const auto hop = [&](std::string_view base, std::string_view own, std::string_view next,
                             unsigned prefix, std::string_view net) {
            batch += fmt::format("addr add {}{}/{} dev {}\n", base, own, prefix, port.name);
            batch += fmt::format("neigh add {}{} lladdr {} dev {} nud permanent\n", base, next,
                                 text_of(peer.station), port.name);
            batch += fmt::format("route add {} via {}{} dev {}\n", net, base, next, port.name);
        };
        hop(v4, "1", "2", 24, net_v4);
        hop(v6, "1", "2", 64, net_v6);
    };
    towards(external_, source_, "192.0.2.", "2001:2:0:1::", "198.18.0.0/16", "2001:2:0:18::/64");
    towards(internal_, sink_, "198.51.100.", "2001:2:0:2::", "198.19.0.0/16", "2001:2:0:19::/64");
    return middle_.ip(batch);
}

Result<> Line::end() {
    ends_->program = minimal_bpf::open_and_load();
    if (ends_->program == nullptr) {
        return fail_errno("load the program that drops at the outer ends");
    }
    const int drop = bpf_program__fd(ends_->program->progs.bare_drop);
    auto source = source_.attach(drop);
    if (!source) {
        return std::unexpected(source.error());
    }
    auto sink = sink_.attach(drop);
    if (!sink) {
        return std::unexpected(sink.error());
    }
    ends_->source = std::move(*source);
    ends_->sink = std::move(*sink);
    return {};
}

} // namespace stem::bench
