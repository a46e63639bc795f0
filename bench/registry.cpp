// SPDX-License-Identifier: Apache-2.0
#include "registry.h"

#include "calls/measures.h"
#include "flood/measures.h"
#include "manager/measures.h"
#include "parser/measures.h"
#include "plane/measures.h"
#include "signalling/measures.h"

namespace stem::bench {

std::vector<std::unique_ptr<Measure>> all_measures() {
    std::vector<std::unique_ptr<Measure>> all;
    all.push_back(make_deny_drop());
    all.push_back(make_rules(Family::v4));
    all.push_back(make_rules(Family::v6));
    all.push_back(make_rtp_forward("1", {.flows = 1}));
    all.push_back(make_rtp_forward("1k", {.flows = 1'000}, true));
    all.push_back(make_rtp_forward("100k", {.flows = 100'000}));
    all.push_back(make_rtp_forward("1m", {.flows = 1'000'000}));
    all.push_back(make_rtp_forward("v6_100k", {.flows = 100'000, .family = Family::v6}));
    all.push_back(make_parser_cost());
    all.push_back(make_decision_rate());
    all.push_back(make_decision_latency());
    all.push_back(make_register_storm());
    all.push_back(make_calls_live());
    all.push_back(make_call_cost());
    all.push_back(make_invite_delay());
    all.push_back(make_pinhole_open());
    all.push_back(make_pinhole_close());
    all.push_back(make_flood("syn_one", "SYNs of one source to SIP's and other ports, beside 50 calls/s",
                             {.kind = FloodKind::syn}));
    all.push_back(make_flood("syn_spoofed", "SYNs of a million sources, beside 50 calls/s",
                             {.kind = FloodKind::syn, .spoofed = true}));
    all.push_back(make_flood("invite_one", "INVITEs of one source to the proxy, beside 50 calls/s",
                             {.kind = FloodKind::invite}));
    all.push_back(make_flood("invite_spoofed", "INVITEs of a million sources, beside 50 calls/s",
                             {.kind = FloodKind::invite, .spoofed = true}));
    all.push_back(make_flood("rtp", "RTP inside the pinhole of one call, beside others and 50 calls/s",
                             {.kind = FloodKind::rtp}));
    return all;
}

} // namespace stem::bench
