// SPDX-License-Identifier: Apache-2.0
// The embedded BPF object, loaded: programs and maps in the kernel, on no interface yet.
#pragma once

#include "ctl/kernel/attach.h"
#include "ctl/kernel/interface.h"

#include <array>
#include <filesystem>
#include <memory>

struct stem_bpf; // the skeleton

namespace stem::kernel {

using Ports = std::array<Interface, STEM_PORTS>; // by enum stem_port

class DataPlane {
  public:
    // Sets what is fixed at attach, loads, and fills every map but `meta`.
    static Result<DataPlane> load(const AttachRequest& request, const Ports& ports);

    // Pins each map under its name.
    [[nodiscard]] Result<> pin_maps(const std::filesystem::path& folder) const;
    [[nodiscard]] Result<> write_meta(const stem_meta& meta) const;
    // The program of a port (enum stem_port).
    [[nodiscard]] int program(std::size_t port) const noexcept;
    [[nodiscard]] std::uint32_t modules() const noexcept;

  private:
    struct Deleter {
        void operator()(stem_bpf* object) const noexcept;
    };
    using Object = std::unique_ptr<stem_bpf, Deleter>;

    explicit DataPlane(Object object) : object_(std::move(object)) {}
    void configure(const AttachRequest& request, const Ports& ports) noexcept;
    [[nodiscard]] Result<> fill(const AttachRequest& request, const Ports& ports) const;

    Object object_;
};

} // namespace stem::kernel
