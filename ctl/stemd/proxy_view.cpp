// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/proxy_view.h"

#include <netinet/in.h>

#include <atomic>

namespace stem::stemd {

Result<ProxyView> ProxyView::open(const kernel::Instance& instance) {
    auto proxies = kernel::MappedArray<stem_proxy>::open(instance.pin("proxies"));
    if (!proxies) {
        return std::unexpected(proxies.error());
    }
    auto steered = SteeredMap::open(instance.pin("steered"));
    if (!steered) {
        return std::unexpected(steered.error());
    }
    return ProxyView(std::move(*proxies), std::move(*steered));
}

std::optional<Endpoint> ProxyView::proxy_of(bool v4) const {
    stem_proxy& proxy = proxies_[v4 ? STEM_PROXY_V4 : STEM_PROXY_V6];
    const std::uint16_t port = std::atomic_ref(proxy.port).load(std::memory_order_acquire);
    return port == 0 ? std::nullopt
                     : std::optional(Endpoint{.address = Address(proxy.address), .port = port});
}

std::optional<Endpoint> ProxyView::called_last(const frame::FrameView& view) const {
    stem_state_key key{};
    key.inside = view.source.address.raw();
    key.outside = view.destination.address.raw();
    key.inside_port = view.source.port;
    key.outside_port = view.destination.port;
    key.protocol = IPPROTO_UDP;
    const auto entry = steered_.get(key);
    if (!entry || !*entry) {
        return std::nullopt;
    }
    return Endpoint{.address = Address((*entry)->called), .port = (*entry)->called_port};
}

std::optional<Readdressing> ProxyView::judge(stem_direction direction, bool proxied,
                                             const frame::FrameView& view, std::string_view message,
                                             std::uint64_t now_ns) {
    const auto proxy = proxy_of(view.v4);
    if (direction == STEM_INBOUND) {
        if (!proxy) {
            return std::nullopt;
        }
        if (proxied) {
            calls_.steered(view.source, view.destination, CallMarks::read(message), now_ns);
            return Readdressing{.end = frame::End::destination, .endpoint = *proxy};
        }
        if (view.destination.address == proxy->address) {
            calls_.direct(view.source, CallMarks::read(message), now_ns);
        }
        return std::nullopt;
    }
    if (!proxied) {
        return std::nullopt;
    }
    const CallMarks marks = CallMarks::read(message);
    std::optional<Endpoint> called;
    if (const auto origin = calls_.origin_of(view.destination, marks, now_ns)) {
        called = origin->called;
    } else if (marks.response || marks.has_to_tag) { // else it begins something of the proxy's own
        called = called_last(view);
    }
    return called ? std::optional(Readdressing{.end = frame::End::source, .endpoint = *called})
                  : std::nullopt;
}

} // namespace stem::stemd
