// SPDX-License-Identifier: Apache-2.0
// ICE candidates (RFC 8839 5.1): where else a party may be reached.
#pragma once

#include "ctl/sdp/session.h"

#include <optional>
#include <string_view>
#include <vector>

namespace stem::sdp {

// `value` is what follows "a=candidate:". Nothing where it is not one that a pinhole could be made of: TCP
// (RFC 6544), a component other than RTP and RTCP, a host name (RFC 8839 5.1; browsers write "….local"), or
// not of the grammar. An agent does without it (RFC 8839 5.1: "MUST ignore"), and so do we.
std::optional<Candidate> read_candidate(std::string_view value) noexcept;

// Keeps the `most` that matter most: those of RTP before those of RTCP, by priority; each place once. With
// room for more than two, RTCP's have at least two places if there are so many.
void rank_candidates(std::vector<Candidate>& candidates, std::size_t most);

} // namespace stem::sdp
