// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/sip_fragments.h"

#include <ctl/frame/checksum.h>
#include <ctl/frame/octets.h>

#include <string>
#include <utility>

namespace stem::stemd {
namespace {

struct FrameHolder final : fragment::Holder {
    FrameHolder(xsk::Frame taken, const frame::FrameView& seen, stem_port by, bool may_leave, bool marked)
        : frame(std::move(taken)), view(seen), port(by), ready(may_leave), proxied(marked) {}

    xsk::Frame frame;
    frame::FrameView view;
    stem_port port;
    bool ready;
    bool proxied;
};

// Every piece came from take().
FrameHolder& holder_of(const fragment::Piece& piece) {
    return static_cast<FrameHolder&>(*piece.holder);
}

fragment::Key key_of(const frame::FrameView& view, stem_port port) {
    fragment::Key key;
    key.source = view.source_address.raw();
    key.destination = view.destination_address.raw();
    key.id = view.fragment->id;
    key.vlan = view.vlan_count == 0 ? std::uint16_t{0} : view.vlans.front().id();
    key.direction = static_cast<std::uint8_t>(port);
    return key;
}

} // namespace

void SipFragments::drop(const std::vector<fragment::Piece>& pieces, stem_reason reason,
                        std::string_view what) {
    for (const auto& piece : pieces) {
        const FrameHolder& holder = holder_of(piece);
        const auto direction = static_cast<stem_direction>(holder.port);
        counters_.add(reason, direction, holder.frame.bytes().size());
        log_.write(reason, direction, holder.view.source, holder.view.destination, what);
    }
}

std::unique_ptr<FrameCarrier> SipFragments::put_together(const std::vector<fragment::Piece>& pieces) {
    std::string datagram;
    bool ready = true;
    for (const auto& piece : pieces) {
        datagram.append(reinterpret_cast<const char*>(piece.octets.data()), piece.octets.size());
        ready = ready && holder_of(piece).ready;
    }
    const auto first = pieces.front().octets;
    if (datagram.size() < frame::udp_header || first.size() < frame::udp_header ||
        frame::read16(first, 4) != datagram.size()) {
        drop(pieces, STEM_FRAME_UNREADABLE, "fragments of a datagram whose length lies");
        return nullptr;
    }
    FrameHolder& head = holder_of(pieces.front());
    frame::FrameView view = head.view;
    const auto checksum = frame::udp_checksum_for(
        view, {reinterpret_cast<const std::uint8_t*>(datagram.data()), datagram.size()});
    if (!checksum) {
        drop(pieces, STEM_FRAME_UNREADABLE, "fragments of a datagram with a wrong UDP checksum");
        return nullptr;
    }
    frame::write16(head.frame.bytes(), view.l4 + 6, *checksum);
    view.payload_length = datagram.size() - frame::udp_header;
    view.fragment.reset(); // answers and changes are made of the whole
    FrameCarrier::Rest rest{.frames = {},
                            .payload = datagram.substr(frame::udp_header),
                            .id = head.view.fragment->id,
                            .proxied = head.proxied};
    for (std::size_t i = 1; i < pieces.size(); ++i) {
        rest.frames.push_back(std::move(holder_of(pieces[i]).frame));
    }
    auto carrier = std::make_unique<FrameCarrier>(std::move(head.frame), view, head.port, ready, std::nullopt,
                                                  counters_);
    carrier->join(std::move(rest));
    return carrier;
}

std::unique_ptr<FrameCarrier> SipFragments::take(xsk::Frame frame, const frame::FrameView& view,
                                                 stem_port port, bool ready, bool proxied,
                                                 std::uint64_t now_ns) {
    const fragment::Key key = key_of(view, port);
    auto holder = std::make_unique<FrameHolder>(std::move(frame), view, port, ready, proxied);
    const frame::Bytes bytes = holder->frame.bytes();
    fragment::Piece piece{.offset = view.fragment->offset,
                          .more = view.fragment->more,
                          .octets = bytes.subspan(view.l4, view.end() - view.l4),
                          .holder = std::move(holder)};
    auto [outcome, pieces] = reassembly_.add(key, std::move(piece), now_ns);
    switch (outcome) {
    case fragment::Outcome::waits:
        return nullptr;
    case fragment::Outcome::whole:
        return put_together(pieces);
    case fragment::Outcome::repeated:
        drop(pieces, STEM_SIP_ABSORBED, "a fragment that came before");
        return nullptr;
    case fragment::Outcome::limit:
        drop(pieces, STEM_FRAGMENT, "more fragments than [fragments] allows");
        return nullptr;
    case fragment::Outcome::form:
        drop(pieces, STEM_FRAGMENT_FORM, "fragments that overlap, or are no datagram");
        return nullptr;
    }
    return nullptr;
}

void SipFragments::tick(std::uint64_t now_ns) {
    drop(reassembly_.expire(now_ns), STEM_FRAGMENT_ORPHAN, "fragments without the others in time");
}

void SipFragments::leave() {
    drop(reassembly_.clear(), STEM_CONTROLLER_AWAY, "fragments that wait while stemd stops");
}

} // namespace stem::stemd
