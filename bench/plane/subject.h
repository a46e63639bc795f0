// SPDX-License-Identifier: Apache-2.0
// What stands in the middle of the line during a run: STEM's data plane, or a peer.
#pragma once

#include "plane/generator.h"
#include "plane/line.h"

#include <cstdint>
#include <memory>
#include <string>

namespace stem::bench {

class Subject {
  public:
    Subject() = default;
    Subject(const Subject&) = delete;
    Subject& operator=(const Subject&) = delete;
    virtual ~Subject() = default;

    [[nodiscard]] virtual std::string name() const = 0;
    // Takes and leaves the middle. The subject keeps its tables in between.
    virtual Result<> step_in() = 0;
    virtual void step_out() = 0;
    // Called while in the middle, after `sent` frames came in: an error if its own counters tell otherwise.
    virtual Result<> verify(std::uint64_t sent) = 0;
};

// `line` outlives the subject. Each is ready, with its tables filled, when it is returned.
Result<std::unique_ptr<Subject>> make_stem_forwarder(const Line& line, const Mix& mix);
Result<std::unique_ptr<Subject>> make_minimal_forwarder(const Line& line, const Mix& mix);
Result<std::unique_ptr<Subject>> make_nftables_forwarder(const Line& line, const Mix& mix);
Result<std::unique_ptr<Subject>> make_bare_redirect(const Line& line);

Result<std::unique_ptr<Subject>> make_stem_denier(const Line& line, const Mix& mix);
Result<std::unique_ptr<Subject>> make_nftables_denier(const Line& line, const Mix& mix);
Result<std::unique_ptr<Subject>> make_bare_drop(const Line& line);

} // namespace stem::bench
