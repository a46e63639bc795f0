// SPDX-License-Identifier: Apache-2.0
#include "registry.h"

#include "plane/measures.h"
#include "signalling/measures.h"

namespace stem::bench {

std::vector<std::unique_ptr<Measure>> all_measures() {
    std::vector<std::unique_ptr<Measure>> all;
    all.push_back(make_deny_drop());
    all.push_back(make_rtp_forward("1", {.flows = 1}));
    all.push_back(make_rtp_forward("1k", {.flows = 1'000}, true));
    all.push_back(make_rtp_forward("100k", {.flows = 100'000}));
    all.push_back(make_rtp_forward("1m", {.flows = 1'000'000}));
    all.push_back(make_rtp_forward("v6_100k", {.flows = 100'000, .family = Family::v6}));
    all.push_back(make_call_cost());
    all.push_back(make_invite_delay());
    all.push_back(make_pinhole_open());
    all.push_back(make_pinhole_close());
    return all;
}

} // namespace stem::bench
