// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/instance.h"

#include "ctl/kernel/bpffs.h"

#include <sys/stat.h>

#include <cstring>

namespace stem::kernel {
namespace {

constexpr auto change_patience = std::chrono::seconds(5);

// The first four bytes of `meta` are the schema version in every version, whatever its size.
Result<std::uint32_t> read_schema(const std::filesystem::path& pin) {
    const auto map = MapHandle::open(pin);
    if (!map) {
        return std::unexpected(map.error());
    }
    if (map->shape().key_size != sizeof(std::uint32_t) || map->shape().value_size < sizeof(std::uint32_t)) {
        return fail("read " + pin.string(), "not a STEM instance's meta map");
    }
    const std::uint32_t zero = 0;
    std::vector<std::byte> value(map->lookup_size());
    const auto there = map->get(std::as_bytes(std::span(&zero, 1)), value);
    if (!there) {
        return std::unexpected(there.error());
    }
    std::uint32_t schema = 0;
    std::memcpy(&schema, value.data(), sizeof(schema));
    return schema;
}

} // namespace

Result<Instance> Instance::open(const Locations& locations, std::string_view name) {
    if (auto good = check_instance_name(name); !good) {
        return std::unexpected(good.error());
    }
    const std::string attempt = "open instance '" + std::string(name) + "'";
    const auto folder = locations.pins(name);
    struct stat status{};
    if (stat(folder.c_str(), &status) != 0) {
        if (errno == EACCES) {
            return fail_errno(attempt + " at " + folder.string(), errno, "run as root");
        }
        return std::unexpected(
            Error{.attempt = attempt,
                  .cause = "nothing is attached at " + folder.string(),
                  .remedy = "attach it (stemctl attach --help), or name another with --instance or --bpffs",
                  .code = ENOENT});
    }
    const auto meta_pin = folder / "meta";
    const auto schema = read_schema(meta_pin);
    if (!schema) {
        Error error = schema.error();
        if (error.code == ENOENT) {
            return fail(attempt, "its pins are incomplete: an attach or a detach was interrupted",
                        "remove the rest with stemctl detach --instance " + std::string(name));
        }
        return std::unexpected(std::move(error));
    }
    if (*schema == 0) {
        return fail(attempt, "its attach has not finished",
                    "try again; if it stays so: stemctl detach --instance " + std::string(name));
    }
    if (*schema != STEM_SCHEMA_VERSION) {
        return fail(attempt,
                    "its maps have schema version " + std::to_string(*schema) + ", this version speaks " +
                        std::to_string(STEM_SCHEMA_VERSION),
                    "use the stemctl that attached it, or detach it and attach again: stemctl detach "
                    "--instance " +
                        std::string(name));
    }
    const auto map = MetaMap::open(meta_pin);
    if (!map) {
        return std::unexpected(map.error());
    }
    const auto meta = map->get(0);
    if (!meta) {
        return std::unexpected(meta.error());
    }
    return Instance(locations, std::string(name), meta->value());
}

Result<FileLock> Instance::lock_for_change(const std::string& purpose) const {
    return FileLock::acquire(locations_.change_lock(name_), purpose, change_patience);
}

} // namespace stem::kernel
