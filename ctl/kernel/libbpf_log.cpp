// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/libbpf_log.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>

namespace stem::kernel {
namespace {

constexpr std::size_t tail_length = 2000;

std::string& kept() {
    static std::string text;
    return text;
}

int keep(libbpf_print_level level, const char* format, va_list arguments) {
    if (level != LIBBPF_WARN) {
        return 0;
    }
    va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, format, arguments);
    if (length > 0) {
        std::string line(static_cast<std::size_t>(length) + 1, '\0');
        std::vsnprintf(line.data(), line.size(), format, again);
        line.pop_back();
        kept() += line;
    }
    va_end(again);
    return length;
}

} // namespace

LibbpfLog::LibbpfLog() {
    kept().clear();
    libbpf_set_print(keep);
}

// Nothing that libbpf says later is for the operator's eyes: every call's error is handled where it is made.
LibbpfLog::~LibbpfLog() {
    libbpf_set_print(nullptr);
}

std::string LibbpfLog::tail() const {
    const std::string& text = kept();
    return text.size() <= tail_length ? text : "…" + text.substr(text.size() - tail_length);
}

} // namespace stem::kernel
