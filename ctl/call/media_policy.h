// SPDX-License-Identifier: Apache-2.0
// Where media may be: an SDP is a stranger's wish, and a pinhole is opened towards it.
#pragma once

#include <stem/abi/dialog.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ctl/call/settings.h"
#include "ctl/sdp/session.h"

namespace stem::call {

// Why a session may not have pinholes; nothing if it may. `bound`: the addresses that this party's media may
// be at (beside the relays); empty = any that is not forbidden.
std::optional<std::string> refuse_media(const sdp::Session& session, std::span<const Address> bound,
                                        const Settings& settings);

// The first STEM_MEDIA_MAX lines of a session, as the kernel polices them.
std::vector<stem_media> media_of(const sdp::Session& session);

// Marks the lines of a peer outside that is behind NAT: its signalling came from `source`.
void mark_nat(std::vector<stem_media>& lines, const Address& source, const Settings& settings);

// Did the party describe the same place for its media as before?
bool is_same_place(const stem_media& a, const stem_media& b);

// What one direction of a call may come to, bytes per second at IP level.
std::uint64_t announced_rate(std::span<const stem_media> lines);

} // namespace stem::call
