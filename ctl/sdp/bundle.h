// SPDX-License-Identifier: Apache-2.0
// Lines that share one address and port (RFC 9143).
#pragma once

#include "ctl/sdp/session.h"

#include <span>
#include <string>
#include <vector>

namespace stem::sdp {

// Sets Media::bundle of each line that a group names. `groups`: what follows "a=group:BUNDLE", one a line.
// The tagged line is the first of its group that has a port (RFC 9143 7.3.1).
void form_bundles(std::vector<Media>& media, std::span<const std::string> groups);

// Both sides have spoken: the answer's groups hold. Each of their lines, on both sides, gets the place of the
// tagged one, its RTCP and its candidates (RFC 9143 7.4, 8843's zero ports included). A line that the answer
// refused stays refused.
void share_bundles(std::span<stem_media> offer, std::span<stem_media> answer);

} // namespace stem::sdp
