// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/locations.h"

#include <algorithm>
#include <cstdlib>

namespace stem::kernel {
namespace {

constexpr std::size_t instance_name_max = 32;

std::filesystem::path choose(const std::string& option, const char* variable,
                             std::filesystem::path fallback) {
    if (!option.empty()) {
        return option;
    }
    const char* value = std::getenv(variable); // NOLINT(concurrency-mt-unsafe): nothing sets it
    return value != nullptr && *value != '\0' ? std::filesystem::path(value) : std::move(fallback);
}

} // namespace

Locations Locations::resolve(const std::string& bpffs_option, const std::string& run_dir_option) {
    const Locations defaults;
    return {.bpffs = choose(bpffs_option, "STEM_BPFFS", defaults.bpffs),
            .run_dir = choose(run_dir_option, "STEM_RUN_DIR", defaults.run_dir)};
}

std::filesystem::path Locations::change_lock(std::string_view instance) const {
    return run_dir / (std::string(instance) + ".lock");
}

std::filesystem::path Locations::controller_lock(std::string_view instance) const {
    return run_dir / (std::string(instance) + ".stemd.lock");
}

std::filesystem::path Locations::events_lock(std::string_view instance) const {
    return run_dir / (std::string(instance) + ".events.lock");
}

Result<> check_instance_name(std::string_view name) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
    };
    if (name.empty() || name.size() > instance_name_max || !std::ranges::all_of(name, allowed)) {
        return fail("use instance name '" + std::string(name) + "'", "not a name",
                    "write 1 to 32 letters, digits, '-' or '_'");
    }
    return {};
}

} // namespace stem::kernel
