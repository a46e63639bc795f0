// SPDX-License-Identifier: Apache-2.0
// What a=rtpmap, a=fmtp and RFC 3551 say of the payload types of an m= line.
#pragma once

#include "ctl/sdp/session.h"

#include <string_view>

namespace stem::sdp {

// `value` is what follows "a=rtpmap:" or "a=fmtp:". A line on a payload type that the m= line does not list,
// or a second one on the same, counts for nothing.
void read_rtpmap(std::string_view value, Media& media);
void read_fmtp(std::string_view value, Media& media);

// Names the static payload types that no a=rtpmap named.
void name_static_formats(Media& media);

} // namespace stem::sdp
