// SPDX-License-Identifier: Apache-2.0
// What the data plane tells stemd of media (stem/abi/learning.h). One reader: stemd, which holds its lock.
#pragma once

#include "ctl/kernel/instance.h"

#include <stem/abi/learning.h>

#include <functional>
#include <memory>

struct ring_buffer;

namespace stem::kernel {

class NoticeStream {
  public:
    static Result<NoticeStream> open(const Instance& instance);

    using Visitor = std::function<void(const stem_notice&)>;
    // Shows each notice that is there. Never waits.
    [[nodiscard]] Result<> take(const Visitor& visit);
    // Notices that found no room since the last call of this.
    [[nodiscard]] Result<std::uint64_t> newly_lost();

  private:
    struct Deleter {
        void operator()(ring_buffer* ring) const noexcept;
    };
    static int receive(void* sink, void* data, std::size_t size); // libbpf's callback

    NoticeStream(UniqueFd map, PerCpuArray<std::uint64_t> counts)
        : map_(std::move(map)), counts_(std::move(counts)),
          visit_(std::make_unique<const Visitor*>(nullptr)) {}

    UniqueFd map_;
    PerCpuArray<std::uint64_t> counts_;
    std::unique_ptr<const Visitor*> visit_; // its address is libbpf's: it stays when the stream moves
    std::unique_ptr<ring_buffer, Deleter> ring_;
    std::uint64_t lost_ = 0;
};

} // namespace stem::kernel
