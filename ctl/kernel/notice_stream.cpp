// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/notice_stream.h"

#include <stem/abi/event.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstring>
#include <utility>

namespace stem::kernel {

void NoticeStream::Deleter::operator()(ring_buffer* ring) const noexcept {
    ring_buffer__free(ring);
}

Result<NoticeStream> NoticeStream::open(const Instance& instance) {
    const auto pin = instance.pin("notices");
    UniqueFd map(bpf_obj_get(pin.c_str()));
    if (!map) {
        return fail_errno("open ring " + pin.string(), errno, "run as root");
    }
    auto counts = PerCpuArray<std::uint64_t>::open(instance.pin("event_counters"));
    if (!counts) {
        return std::unexpected(counts.error());
    }
    NoticeStream stream(std::move(map), std::move(*counts));
    stream.ring_.reset(
        ring_buffer__new(stream.map_.get(), receive, static_cast<void*>(stream.visit_.get()), nullptr));
    if (!stream.ring_) {
        return fail_errno("map ring " + pin.string() + " into memory");
    }
    return stream;
}

int NoticeStream::receive(void* sink, void* data, std::size_t size) {
    const Visitor* visit = *static_cast<const Visitor**>(sink);
    if (visit != nullptr && size >= sizeof(stem_notice)) {
        stem_notice notice{};
        std::memcpy(&notice, data, sizeof(notice));
        (*visit)(notice);
    }
    return 0;
}

Result<> NoticeStream::take(const Visitor& visit) {
    *visit_ = &visit;
    const int status = ring_buffer__consume(ring_.get());
    *visit_ = nullptr;
    if (status < 0) {
        return fail_errno("read notices", -status);
    }
    return {};
}

Result<std::uint64_t> NoticeStream::newly_lost() {
    const auto sums = counts_.sums();
    if (!sums) {
        return std::unexpected(sums.error());
    }
    const std::uint64_t all = sums->size() > STEM_NOTICES_LOST ? (*sums)[STEM_NOTICES_LOST] : 0;
    return all - std::exchange(lost_, all);
}

} // namespace stem::kernel
