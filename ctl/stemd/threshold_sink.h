// SPDX-License-Identifier: Apache-2.0
// The way of thresholds from the Security Manager into the kernel: at the start, after each change, on
// SIGHUP.
#pragma once

#include <stem/error.h>

#include <memory>
#include <string>

#include "ctl/kernel/instance.h"
#include "sm/thresholds.h"

namespace stem::stemd {

// The kernel's map, with a line in the log for each value that changes.
class ThresholdWriter {
  public:
    static Result<ThresholdWriter> open(const kernel::Instance& instance);
    [[nodiscard]] Result<> write(const stem_thresholds& values);

  private:
    explicit ThresholdWriter(kernel::ThresholdMap map) : map_(std::move(map)) {}
    kernel::ThresholdMap map_;
};

class ThresholdSink {
  public:
    // Pushes once, and from then on after each change. `thresholds` must outlive it. The firewall's name is
    // the instance's.
    static Result<std::unique_ptr<ThresholdSink>> open(const kernel::Instance& instance,
                                                       sm::Thresholds& thresholds);
    ~ThresholdSink();
    ThresholdSink(const ThresholdSink&) = delete;
    ThresholdSink& operator=(const ThresholdSink&) = delete;

    // Writes all values that are in force for this firewall into the kernel's map, and logs what that
    // changed.
    Result<> push();

  private:
    ThresholdSink(ThresholdWriter writer, sm::Thresholds& thresholds, std::string firewall)
        : writer_(std::move(writer)), thresholds_(thresholds), firewall_(std::move(firewall)) {}

    ThresholdWriter writer_;
    sm::Thresholds& thresholds_;
    std::string firewall_;
};

} // namespace stem::stemd
