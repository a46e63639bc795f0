// SPDX-License-Identifier: Apache-2.0
// The pins of an attached instance, adopted: they were there before this stemd, and stay after it.
#pragma once

#include <stem/error.h>

#include <string_view>

#include "ctl/kernel/denials.h"
#include "ctl/kernel/instance.h"
#include "ctl/kernel/notice_stream.h"
#include "ctl/stemd/verdict_counters.h"

namespace stem::stemd {

struct Attachment {
    kernel::Instance instance;
    kernel::FileLock lock; // one stemd an instance
    kernel::IndexMap xsks;
    kernel::FlowMap flows;
    kernel::LearningMap learning;
    kernel::ThresholdMap thresholds;
    kernel::NoticeStream notices;
    kernel::DialogMap dialogs;
    kernel::SipConnectionMap connections;
    kernel::Denials deny;
    VerdictCounters counters;
    VerdictCounters would_drops;
    kernel::MonitoredMap monitored;

    // Refuses what Instance::open() refuses, and an instance that another stemd has.
    static Result<Attachment> adopt(const kernel::Locations& locations, std::string_view name);
};

} // namespace stem::stemd
