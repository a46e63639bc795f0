// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/flow_denial.h"

#include <bpf/bpf.h>
#include <netinet/in.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace stem::kernel {
namespace {

// stemd reads an entry and writes it back some microseconds later, when its call negotiates anew. What it
// undid by that is done again.
constexpr auto settling = std::chrono::milliseconds(2);
constexpr int attempts = 5;

stem_flow_key key_of(const FlowTarget& flow, stem_direction direction) {
    stem_flow_key key{};
    key.src = flow.source.address.raw();
    key.dst = flow.destination.address.raw();
    key.sport = flow.source.port;
    key.dport = flow.destination.port;
    key.direction = static_cast<std::uint8_t>(direction);
    key.protocol = IPPROTO_UDP;
    return key;
}

bool is_denied(const stem_flow& flow, std::uint64_t now_ns) {
    return flow.denied_until_ns > now_ns;
}

} // namespace

Result<FlowDenial> FlowDenial::open(const Instance& instance) {
    auto flows = instance.flows();
    if (!flows) {
        return std::unexpected(flows.error());
    }
    std::string pin = instance.pin("deny_flow");
    UniqueFd program(bpf_obj_get(pin.c_str()));
    if (!program) {
        return fail_errno("open program " + pin, errno,
                          "run as root; if it is not there, attach the instance again");
    }
    return FlowDenial(std::move(*flows), std::move(program), std::move(pin));
}

Result<std::vector<FlowEntry>> FlowDenial::find(const FlowTarget& flow) const {
    std::vector<FlowEntry> found;
    for (const auto direction : {STEM_INBOUND, STEM_OUTBOUND}) {
        const auto key = key_of(flow, direction);
        const auto value = flows_.get(key);
        if (!value) {
            return std::unexpected(value.error());
        }
        if (*value) {
            found.push_back({.key = key, .value = **value});
        }
    }
    return found;
}

Result<bool> FlowDenial::mark(const stem_deny_flow& change) const {
    for (int attempt = 0; attempt < attempts; attempt++) {
        stem_deny_flow about = change;
        LIBBPF_OPTS(bpf_test_run_opts, options);
        options.ctx_in = &about; // the kernel writes the answer back into it
        options.ctx_size_in = sizeof(about);
        if (const int status = bpf_prog_test_run_opts(program_.get(), &options); status != 0) {
            return fail_errno("run program " + pin_, -status);
        }
        if (about.found == 0) {
            return false;
        }
        std::this_thread::sleep_for(settling);
        const auto now = flows_.get(change.key);
        if (!now) {
            return std::unexpected(now.error());
        }
        if (!*now || (*now)->denied_until_ns == change.until_ns) {
            return now->has_value();
        }
    }
    return fail("mark flow in " + pin_, "something else changes it again and again",
                "see that one stemd and no other program writes the map flows");
}

Result<bool> FlowDenial::add(const FlowTarget& flow, std::uint64_t until_ns, stem_deny_origin origin,
                             std::string_view note, std::uint64_t now_ns) const {
    const auto entries = find(flow);
    if (!entries) {
        return std::unexpected(entries.error());
    }
    bool marked = false;
    bool was_denied = false;
    for (const auto& entry : *entries) {
        stem_deny_flow change{
            .key = entry.key, .until_ns = until_ns, .origin = origin, .found = 0, .note = {}};
        note.copy(change.note, sizeof(change.note) - 1);
        const auto done = mark(change);
        if (!done) {
            return std::unexpected(done.error());
        }
        marked = marked || *done;
        was_denied = was_denied || is_denied(entry.value, now_ns);
    }
    if (!marked) {
        const FlowTarget back{.source = flow.destination, .destination = flow.source};
        const auto other_way = find(back);
        const bool open = other_way && !other_way->empty();
        return fail("deny " + to_string(DenyTarget(flow)), "no such flow is open",
                    open ? "open is the other direction: " + to_string(DenyTarget(back))
                         : "stemctl flows shows those that are");
    }
    return !was_denied;
}

Result<bool> FlowDenial::remove(const FlowTarget& flow, std::uint64_t now_ns) const {
    const auto entries = find(flow);
    if (!entries) {
        return std::unexpected(entries.error());
    }
    bool removed = false;
    for (const auto& entry : *entries) {
        if (!is_denied(entry.value, now_ns)) {
            continue;
        }
        const auto done = mark({.key = entry.key, .until_ns = 0, .origin = 0, .found = 0, .note = {}});
        if (!done) {
            return std::unexpected(done.error());
        }
        removed = removed || *done;
    }
    return removed;
}

Result<std::vector<FlowEntry>> FlowDenial::list(std::uint64_t now_ns) const {
    std::vector<FlowEntry> denied;
    const auto walked = flows_.for_each([&](const stem_flow_key& key, const stem_flow& value) {
        if (is_denied(value, now_ns)) {
            denied.push_back({.key = key, .value = value});
        }
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    return denied;
}

} // namespace stem::kernel
