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

struct MediaBounds {
    std::span<const Address>
        terminals; // where this party's media may be, beside the relays; empty = anywhere
    const Address* signalled = nullptr; // of a peer outside: where its signalling comes from
};

// Why a session may not have pinholes; nothing if it may.
std::optional<std::string> refuse_media(const sdp::Session& session, const MediaBounds& bounds,
                                        const Settings& settings);

// Takes out the ICE candidates that no pinhole may lead to. The call goes on without them: an agent names all
// the addresses that it has, those of no use here too.
void drop_candidates(sdp::Session& session, const MediaBounds& bounds, const Settings& settings);

// The first STEM_MEDIA_MAX lines of a session, as the kernel polices them.
std::vector<stem_media> media_of(const sdp::Session& session);

// Marks the lines of a peer outside that is behind NAT: its signalling came from `source`.
void mark_nat(std::vector<stem_media>& lines, const Address& source, const Settings& settings);

// Did the party describe the same place for its media as before?
bool is_same_place(const stem_media& a, const stem_media& b);

// Do two lines of a call lead from the same place to the same one (a bundle's do, RFC 9143)? They share a
// pinhole then, which counts under one of them.
bool share_pinhole(std::span<const stem_media> caller, std::span<const stem_media> callee, std::size_t line,
                   std::size_t other);

// What one direction of a call may come to, bytes per second at IP level.
std::uint64_t announced_rate(std::span<const stem_media> lines);

} // namespace stem::call
