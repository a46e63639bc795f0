// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/reason_table.h"

#include <stem/reason.h>

#include <fmt/format.h>

namespace stem::stemctl {

std::string reasons_markdown() {
    std::string text =
        "# Reasons\n\n"
        "Every packet that STEM judges gets one reason; counters, events and metrics carry its label.\n"
        "Numbers are never reused. 1 to 99 are given by the data plane, 100 and above by stemd.\n"
        "This page is the output of `stemctl reasons --markdown`.\n\n"
        "| number | label | outcome | meaning |\n|---:|---|---|---|\n";
    for (const auto& info : reasons()) {
        text += fmt::format("| {} | `{}` | {} | {} |\n", static_cast<unsigned>(info.reason), info.label,
                            label_of(info.kind), info.help);
    }
    text += "\nOutcomes:\n\n"
            "- forward: sent out by the other port, or where the route says\n"
            "- stack: given to the kernel's own network stack, after it was judged\n"
            "- steer: given to stemd, which decides\n"
            "- drop: gone\n"
            "- release: stemd let a steered packet go on\n";
    return text;
}

} // namespace stem::stemctl
