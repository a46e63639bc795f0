// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/threshold_sink.h"

#include <spdlog/spdlog.h>

namespace stem::stemd {

Result<std::unique_ptr<ThresholdSink>> ThresholdSink::open(const kernel::Instance& instance,
                                                           sm::Thresholds& thresholds) {
    auto writer = ThresholdWriter::open(instance);
    if (!writer) {
        return std::unexpected(writer.error());
    }
    std::unique_ptr<ThresholdSink> sink(new ThresholdSink(std::move(*writer), thresholds, instance.name()));
    for (const auto& change : thresholds.unusable()) {
        spdlog::warn(
            "threshold {}{} = {} is stored, but this version has no such threshold, or another range: "
            "it is not used",
            change.firewall.empty() ? "" : change.firewall + "/", change.name, *change.value);
    }
    if (auto pushed = sink->push(); !pushed) {
        return std::unexpected(pushed.error());
    }
    thresholds.on_change([own = sink.get()] { return own->push(); });
    return sink;
}

ThresholdSink::~ThresholdSink() {
    thresholds_.on_change({});
}

Result<> ThresholdSink::push() {
    return writer_.write(thresholds_.values(firewall_));
}

Result<ThresholdWriter> ThresholdWriter::open(const kernel::Instance& instance) {
    auto map = kernel::ThresholdMap::open(instance.pin("thresholds"));
    return map ? Result<ThresholdWriter>(ThresholdWriter(std::move(*map))) : std::unexpected(map.error());
}

Result<> ThresholdWriter::write(const stem_thresholds& values) {
    const auto before = map_.get(0);
    if (!before) {
        return std::unexpected(before.error());
    }
    if (auto written = map_.put(0, values); !written) {
        return written;
    }
    const stem_thresholds none{};
    for (const auto& info : stem::thresholds()) {
        const std::uint32_t was = before->value_or(none).*info.field;
        if (was != values.*info.field) {
            spdlog::info("threshold {} is {} {}; it was {}", info.name, values.*info.field, info.unit, was);
        }
    }
    return {};
}

} // namespace stem::stemd
