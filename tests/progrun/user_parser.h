// SPDX-License-Identifier: Apache-2.0
// bpf/parse.h and bpf/form.h compiled for user space: the same lines, run by this machine.
#pragma once

#include <packet/bytes.h>
#include <stem/abi/flow.h>
#include <stem/abi/reason.h>

#include <cstdint>
#include <span>

namespace stem::test {

struct Parsed {
    stem_reason fault; // STEM_CONTINUE: it can be read
    stem_reason form;  // of one that can be read: STEM_CONTINUE, or what is wrong with it
    bool fragment;
    bool later; // a fragment, and not the first
    stem_flow_key key;
    std::uint16_t vlan;
    std::uint8_t ip_version;
    bool neighbour;
};

// `frame` is copied to a buffer of exactly its size, so that a sanitizer sees a read behind its end.
[[nodiscard]] Parsed parse_in_user_space(std::span<const std::uint8_t> frame, stem_direction direction);

} // namespace stem::test
