// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/links.h"

namespace stem::stemd {

Links::Failure Links::transmit(xsk::Frame& frame, stem_port port) noexcept {
    if (ports_.send(std::move(frame), port)) {
        return std::nullopt;
    }
    ports_.flush(); // makes room, if the link takes anything at all
    // A frame that was refused is still ours.
    if (ports_.send(std::move(frame), port)) { // NOLINT(bugprone-use-after-move)
        return std::nullopt;
    }
    return "the port's send ring is full";
}

Links::Failure Links::route(xsk::Frame& frame) noexcept {
    if (!setup_.injector) {
        return "a bridge has no routes";
    }
    const auto view = frame::parse_ip(frame.bytes());
    if (!view) {
        return "not an IP packet";
    }
    const auto sent = setup_.injector->send(frame.bytes().subspan(view->l3, view->ip_length));
    if (!sent) {
        return to_string(sent.error().kind);
    }
    return std::nullopt;
}

} // namespace stem::stemd
