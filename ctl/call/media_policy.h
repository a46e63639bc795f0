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

} // namespace stem::call
